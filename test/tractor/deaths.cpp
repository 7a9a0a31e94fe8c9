// SPDX-License-Identifier: BSL-1.0
// Actors that die, and what becomes of those around them. F1 and so on are the faults of the
// project's fault table, with its bounds; E stands for one of ours.
#include "../temporary_directory.hpp"
#include "debugger.hpp"
#include "program.hpp"
#include "support.hpp"

#include <trio/errors.hpp>
#include <trio/testing.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace std::chrono_literals;
using support::bound_here;
using support::Debugger;
using support::Doomed;
using support::group_thrown_by;
using support::in_root;
using support::process_slowness;
using support::Program;
using support::Streams;

namespace {

using Clock = std::chrono::steady_clock;

auto since(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
}

void forever() { trio::sleep_forever(); }

int own_pid() { return getpid(); }

[[noreturn]] void compute_for_ever() {
  for (std::atomic<int> i = 0;; ++i) {}
}

void wedge() { compute_for_ever(); }

// What `body` throws, which must be an ActorDied.
template <class Body> tractor::ActorDied death_in(Body&& body) {
  try {
    body();
  } catch (tractor::ActorDied const& error) {
    return error;
  }
  FAIL("nobody died");
  std::abort();
}

}  // namespace

TEST_CASE("F1: kill -9 of an actor is ActorDied at the call, at once, and at the nursery's end") {
  auto const group = group_thrown_by([] {
    in_root([] {
      tractor::open_nursery([](tractor::ActorNursery& nursery) {
        auto portal = nursery.start_actor("victim", tractor::expose<forever, own_pid>);
        Clock::time_point killed;
        trio::shielded([&] {
          trio::open_nursery([&](trio::Nursery& tasks) {
            for (int i = 0; i < 3; ++i)
              tasks.start_soon([&] {
                auto const error = death_in([&] { portal.run<forever>(); });
                CHECK(since(killed) < bound_here(50ms));
                CHECK(error.signal() == SIGKILL);
                CHECK(error.exit_code() == -1);
                CHECK(error.actor() == portal.actor());
              });
            portal.run<own_pid>();
            killed = Clock::now();
            kill(portal.actor().pid, SIGKILL);
          });
        });
        CHECK(portal.open_calls() == 0);
        CHECK_THROWS_AS(trio::shielded([&] { portal.run<own_pid>(); }), tractor::ActorDied);
      });
    });
  });
  REQUIRE(group.exceptions().size() == 1);
  CHECK(group.find<tractor::ActorDied>());
}

TEST_CASE("F1: a death that calls have met is told once at the nursery's end") {
  auto const group = group_thrown_by([] {
    in_root([] {
      tractor::open_nursery([](tractor::ActorNursery& nursery) {
        auto portal = nursery.start_actor("victim", tractor::expose<forever, own_pid>);
        trio::open_nursery([&](trio::Nursery& tasks) {
          for (int i = 0; i < 2; ++i) tasks.start_soon([&] { portal.run<forever>(); });
          portal.run<own_pid>();
          kill(portal.actor().pid, SIGKILL);
          portal.run<forever>();
        });
      });
    });
  });
  REQUIRE(group.leaves().size() == 1);
  CHECK(group.find<tractor::ActorDied>());
}

TEST_CASE("F1: kill -9 of a one-shot is ActorDied in result() and at the nursery's end, once") {
  auto const group = group_thrown_by([] {
    in_root([] {
      tractor::open_nursery([](tractor::ActorNursery& nursery) {
        auto portal = nursery.run_in_actor<forever>();
        kill(portal.actor().pid, SIGKILL);
        portal.result();
      });
    });
  });
  REQUIRE(group.exceptions().size() == 1);
  auto const* error = group.find<tractor::ActorDied>();
  REQUIRE(error);
  CHECK(error->signal() == SIGKILL);
}

namespace {

void last_words(std::string const& words) {
  std::fprintf(stderr, "%s\n", words.c_str());
  std::fflush(stderr);
}

void exits(int code) {
  last_words("about to exit");
  std::exit(code);
}

void exits_at_once(int code) { _exit(code); }

void aborts() { std::abort(); }

void dereferences_null() {
  int* volatile nowhere = nullptr;
  *nowhere = 1;
}

void says_much_and_dies() {
  for (int i = 0; i < 5'000; ++i) std::fprintf(stderr, "line %d of many\n", i);
  std::fprintf(stderr, "the very end");
  _exit(9);
}

// As much as an unprivileged process may have in a pipe.
void fills_its_pipe_and_dies() {
  constexpr int most = 1024 * 1024;
  fcntl(STDERR_FILENO, F_SETPIPE_SZ, most);
  std::string said(most / 2, 'x');
  said += "\nthe very end";
  static_cast<void>(write(STDERR_FILENO, said.data(), said.size()));
  _exit(9);
}

// Runs F in an actor, where it ends the process.
template <auto F, class... Args> tractor::ActorDied death_by(Args... args) {
  trio::BaseExceptionGroup const group = group_thrown_by([&] {
    in_root([&] {
      tractor::open_nursery([&](tractor::ActorNursery& nursery) {
        auto portal = nursery.start_actor("victim", tractor::expose<F>);
        portal.template run<F>(args...);
      });
    });
  });
  // Whichever came first of the call's and the nursery's: it is one death.
  for (auto const& leaf : group.leaves()) CHECK(trio::exception_cast<tractor::ActorDied>(leaf));
  auto const* error = group.find<tractor::ActorDied>();
  REQUIRE(error);
  return *error;
}

}  // namespace

TEST_CASE("S5: a remote exit never hangs the caller, and its last words are told") {
  auto const error = death_by<exits>(3);
  // Which then looks for leaks, on stacks that it does not know.
  if (support::sanitized) return;
  CHECK(error.exit_code() == 3);
  CHECK(error.signal() == 0);
  CHECK(error.stderr_tail() == "about to exit\n");
  CHECK(std::string(error.what()).find("exit code 3") != std::string::npos);
  CHECK(std::string(error.what()).find("| about to exit") != std::string::npos);
}

TEST_CASE("S5: nor does _exit, even with 0") {
  CHECK(death_by<exits_at_once>(4).exit_code() == 4);
  CHECK(death_by<exits_at_once>(0).exit_code() == 0);
}

TEST_CASE("S5: nor does abort, or a wild pointer") {
  CHECK(death_by<aborts>().signal() == SIGABRT);
  if (!support::sanitized) CHECK(death_by<dereferences_null>().signal() == SIGSEGV);
}

TEST_CASE("the tail of a long standard error is kept, from the start of a line") {
  auto const tail = death_by<says_much_and_dies>().stderr_tail();
  CHECK(tail.size() <= 16 * 1024);
  CHECK(tail.size() > 10 * 1024);
  CHECK(tail.starts_with("line "));
  CHECK(tail.ends_with("line 4999 of many\nthe very end"));
}

TEST_CASE("its end is told, however much the pipe holds that an actor leaves behind") {
  auto const group = group_thrown_by([] {
    in_root([] {
      tractor::open_nursery([](tractor::ActorNursery& nursery) {
        auto portal =
            nursery.start_actor("victim", tractor::expose<own_pid, fills_its_pipe_and_dies>);
        auto const pid = static_cast<id_t>(portal.run<own_pid>());
        trio::open_nursery([&](trio::Nursery& tasks) {
          tasks.start_soon([&] { portal.run<fills_its_pipe_and_dies>(); });
          trio::testing::wait_all_tasks_blocked();
          // Nobody reads it before it is dead.
          siginfo_t info = {};
          CHECK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0);
        });
      });
    });
  });
  auto const* error = group.find<tractor::ActorDied>();
  REQUIRE(error);
  CHECK(error->stderr_tail() == "the very end");
}

TEST_CASE("standard error that is not captured goes where ours goes, and is not told") {
  auto const group = group_thrown_by([] {
    in_root([] {
      tractor::open_nursery([](tractor::ActorNursery& nursery) {
        nursery.run_in_actor<exits>({.capture_stderr = false}, 5).result();
      });
    });
  });
  auto const* error = group.find<tractor::ActorDied>();
  REQUIRE(error);
  CHECK(error->stderr_tail().empty());
}

TEST_CASE("A8: what an actor logs appears on the inherited standard error") {
  Program program("logs", {});
  CHECK(program.read("", 1) == std::vector<std::string>{"done"});
  CHECK(program.wait() == 0);
}

TEST_CASE("a standard error that nobody reads holds nobody up, and nobody's end") {
  Program program("tree", {"loud", "2"}, Streams::errors_stalled);
  std::string const tree = program.read("tree ", 1).front();
  // Which the children say after much more than anybody buffers.
  program.read("pid ", 3);
  auto const start = Clock::now();
  program.signal(SIGINT);
  CHECK(program.wait() == 128 + SIGINT);
  CHECK(since(start) < bound_here(3s));
  CHECK(support::living_actors(tree) == std::vector<std::string>());
}

namespace {

// Kills one process of a tree, in which each actor of the middle level has what MODE says below it.
void kill_in_tree(std::string const& mode, bool the_root) {
  CAPTURE(mode);
  std::size_t const helpers = mode == "helper" || mode == "daemon" ? 8 : mode == "root_helper";
  Program program("tree", {mode, "1", "8", "1"});
  std::string const tree = program.read("tree ", 1).front();
  // The root, the middle, 8 and 8, and perhaps the helpers of the last 8.
  auto pids = program.read("pid ", 18 + helpers);
  std::string const root = std::to_string(program.pid());
  std::string middle;
  for (auto const& actor : support::living_actors(tree)) {
    std::string const pid = actor.substr(0, actor.find(' '));
    if (actor.find("node0@") != std::string::npos && support::parent_of(actor) == root)
      middle = pid;
    // Which has its work to do first.
    if (actor.find("_tractor_warden") != std::string::npos && the_root) pids.push_back(pid);
  }
  REQUIRE(!middle.empty());
  // The root ends too, as it is told, but not before it has printed why.
  if (!the_root) std::erase(pids, root);
  Doomed const doomed(pids);
  auto const start = Clock::now();
  kill(std::stoi(the_root ? root : middle), SIGKILL);
  CHECK(doomed.alive_after(bound_here(250ms)) == 0);
  MESSAGE(std::string(the_root ? "root" : "middle"), " killed, ", mode, ": all gone after ",
          since(start).count(), " ms");
  program.wait();
  CHECK(support::living_actors(tree) == std::vector<std::string>());
}

}  // namespace

TEST_CASE("F2: kill -9 in the middle of a tree leaves no descendant, whatever it is doing") {
  for (auto const* mode : {"idle", "busy", "stopped", "setsid", "helper", "daemon"})
    kill_in_tree(mode, false);
}

TEST_CASE("F3: kill -9 of the root leaves no descendant, whatever it is doing") {
  for (auto const* mode : {"idle", "busy", "stopped", "setsid", "helper", "daemon", "root_helper"})
    kill_in_tree(mode, true);
}

namespace {

// Where actors make their directories meanwhile: no other tree that starts removes what is
// abandoned here.
class RuntimeDirectory {
 public:
  RuntimeDirectory() {
    if (char const* const present = std::getenv(variable)) before_ = present;
    setenv(variable, path().c_str(), 1);
  }

  RuntimeDirectory(RuntimeDirectory const&) = delete;
  RuntimeDirectory& operator=(RuntimeDirectory const&) = delete;

  ~RuntimeDirectory() {
    if (before_)
      setenv(variable, before_->c_str(), 1);
    else
      unsetenv(variable);
  }

  std::string const& path() const noexcept { return place_.path(); }

 private:
  static constexpr char const* variable = "XDG_RUNTIME_DIR";

  support::TemporaryDirectory place_;
  std::optional<std::string> before_;
};

void run_a_tree() {
  in_root([] {
    tractor::open_nursery(
        [](tractor::ActorNursery& nursery) { nursery.run_in_actor<own_pid>().result(); });
  });
}

}  // namespace

TEST_CASE("F3: what a killed root has left in the file system, the next one removes") {
  RuntimeDirectory const place;
  std::vector<std::string> left;
  {
    Program program("tree", {"idle", "1"});
    program.read("pid ", 2);
    left = support::directories_of(program.pid());
    REQUIRE(left.size() == 1);
    REQUIRE(left[0].starts_with(place.path()));
    program.signal(SIGKILL);
    program.wait();
    CHECK(support::directories_of(program.pid()) == left);
  }
  run_a_tree();
  for (auto const& directory : left) CHECK(access(directory.c_str(), F_OK) == -1);
}

TEST_CASE("it removes neither what is in use nor what is only called as ours are") {
  RuntimeDirectory const place;
  Program program("tree", {"idle", "1"});
  program.read("pid ", 2);
  auto kept = support::directories_of(program.pid());
  REQUIRE(kept.size() == 1);
  REQUIRE(kept[0].starts_with(place.path()));
  for (auto const* name : {"tractor-", "tractor-1", "tractor-test-abcdef", "tractor-1-abcdefg",
                           "tractor--abcdef", "tractor-1-abcdef-"}) {
    kept.push_back(place.path() + "/" + name);
    REQUIRE(mkdir(kept.back().c_str(), 0700) == 0);
  }
  run_a_tree();
  for (auto const& directory : kept) {
    CAPTURE(directory);
    CHECK(access(directory.c_str(), F_OK) == 0);
  }
}

namespace {

// The actor falls silent by `silence(portal)`.
template <class Silence> void falls_silent(Silence&& silence) {
  auto const group = group_thrown_by([&] {
    in_root([&] {
      tractor::open_nursery([&](tractor::ActorNursery& nursery) {
        auto portal = nursery.start_actor(
            "silent",
            {.expose = tractor::expose<wedge, forever, own_pid>, .unresponsive_after = 1500ms});
        portal.template run<own_pid>();
        auto const start = Clock::now();
        auto const error = death_in([&] { trio::shielded([&] { silence(portal); }); });
        CHECK(since(start) <= bound_here(2000ms));
        CHECK(error.signal() == SIGKILL);
        CHECK(std::string(error.what()).find("unresponsive_after") != std::string::npos);
      });
    });
  });
  CHECK(group.exceptions().size() == 1);
}

}  // namespace

TEST_CASE("F4: an actor that is stopped is ActorDied when its time is up, and killed") {
  falls_silent([](tractor::Portal const& portal) {
    kill(portal.actor().pid, SIGSTOP);
    portal.run<forever>();
  });
}

TEST_CASE("F5: so is one whose scheduler is wedged by a task that never waits") {
  falls_silent([](tractor::Portal const& portal) { portal.run<wedge>(); });
}

namespace {

void leave_a_mark_at_the_end(std::string const& path) {
  tractor::current_actor().lifetime().defer(
      [path] { close(open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)); });
}

}  // namespace

TEST_CASE("a debugger that holds an actor suspends the clocks that would end it") {
  static constexpr auto patience = 300ms * process_slowness;
  std::string const mark = std::filesystem::temp_directory_path() / "mark";
  in_root([&] {
    tractor::open_nursery([&](tractor::ActorNursery& nursery) {
      auto portal =
          nursery.start_actor("held", {.expose = tractor::expose<own_pid, leave_a_mark_at_the_end>,
                                       .cancel_timeout = patience,
                                       .terminate_timeout = 0s,
                                       .unresponsive_after = patience});
      portal.run<leave_a_mark_at_the_end>(mark);
      {
        Debugger const debugger(portal.actor().pid);
        trio::sleep(4 * patience);
      }
      CHECK(portal.run<own_pid>() == portal.actor().pid);
      // Nor is it forced to its end while it is held, or as soon as it is let go.
      trio::open_nursery([&](trio::Nursery& tasks) {
        std::optional<Debugger> debugger(portal.actor().pid);
        bool ended = false;
        tasks.start_soon([&] { ended = portal.cancel_actor(); });
        trio::sleep(4 * patience);
        CHECK_FALSE(ended);
        debugger.reset();
      });
    });
  });
  CHECK(unlink(mark.c_str()) == 0);
}

namespace {

void compute_in_chunks() {
  for (int i = 0; i < 8; ++i) {
    auto const start = Clock::now();
    while (since(start) < 450ms) {}
    trio::lowlevel::checkpoint();
  }
}

}  // namespace

TEST_CASE("one that computes with a checkpoint now and then is alive, however late its answers") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      nursery
          .run_in_actor<compute_in_chunks>(
              tractor::ActorOptions{.unresponsive_after = 1500ms * process_slowness})
          .result();
    });
  });
}

TEST_CASE("F19: sixteen busy loops beside them starve no actor to death") {
  std::vector<pid_t> loops;
  for (int i = 0; i < 16; ++i) {
    pid_t const pid = fork();
    if (pid == 0) compute_for_ever();
    loops.push_back(pid);
  }
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      std::vector<tractor::Portal> portals;
      for (int i = 0; i < 2; ++i)
        portals.push_back(nursery.start_actor(
            "quiet",
            {.expose = tractor::expose<own_pid>, .unresponsive_after = 1500ms * process_slowness}));
      trio::sleep(5s);
      for (auto const& portal : portals) CHECK(portal.run<own_pid>() == portal.actor().pid);
      nursery.cancel();
    });
  });
  for (pid_t const pid : loops) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
}

namespace {

void fail_at_length() { throw std::runtime_error(std::string(8 << 20, 'x') + "!"); }

std::string answer_at_length() { return std::string(8 << 20, 'y') + "!"; }

}  // namespace

TEST_CASE("F15: an error of 8 MB arrives before the process ends, 100 times of 100") {
  for (int i = 0; i < (support::sanitized ? 10 : 100); ++i) {
    auto const group = group_thrown_by([] {
      in_root([] {
        tractor::open_nursery(
            [](tractor::ActorNursery& nursery) { nursery.run_in_actor<fail_at_length>(); });
      });
    });
    REQUIRE(group.exceptions().size() == 1);
    auto const* error = group.find<tractor::RemoteActorError>();
    REQUIRE(error);
    CHECK(error->message().size() == (8u << 20) + 1);
  }
}

TEST_CASE("F15: so does a result") {
  for (int i = 0; i < 10; ++i)
    in_root([] {
      tractor::open_nursery([](tractor::ActorNursery& nursery) {
        auto const portal = nursery.run_in_actor<answer_at_length>();
        nursery.join();
        CHECK(portal.result().ends_with("yyy!"));
      });
    });
}

TEST_CASE("F16: a peer that can be reached no more holds nobody's end up beyond its bounds") {
  Clock::time_point start;
  in_root([&] {
    tractor::open_nursery([&](tractor::ActorNursery& nursery) {
      auto portal = nursery.start_actor("stopped", {.expose = tractor::expose<own_pid>,
                                                    .cancel_timeout = 500ms,
                                                    .terminate_timeout = 500ms});
      kill(portal.actor().pid, SIGSTOP);
      start = Clock::now();
      nursery.cancel();
    });
  });
  CHECK(since(start) <= bound_here(1200ms));
}

TEST_CASE("F21: no descriptors left for a new process is a typed error, and nothing is left") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      nursery.start_actor("first", tractor::expose<own_pid>);
      std::size_t const before = support::open_descriptors();
      rlimit limit = {};
      getrlimit(RLIMIT_NOFILE, &limit);
      rlimit tight = limit;
      for (std::size_t spare = 1; spare < 6; ++spare) {
        CAPTURE(spare);
        tight.rlim_cur = before + spare;
        setrlimit(RLIMIT_NOFILE, &tight);
        CHECK_THROWS_AS(nursery.start_actor("second", tractor::expose<own_pid>),
                        tractor::SpawnError);
        setrlimit(RLIMIT_NOFILE, &limit);
        CHECK(support::open_descriptors() == before);
      }
      CHECK(nursery.start_actor("third", tractor::expose<own_pid>).run<own_pid>() != getpid());
      nursery.cancel();
    });
  });
}

TEST_CASE("F22: cancelling the root while actors die ends all the same") {
  for (bool dead_first : {true, false})
    for (int signal : {SIGKILL, SIGSTOP, SIGSEGV}) {
      CAPTURE(dead_first);
      CAPTURE(signal);
      Clock::time_point start;
      // Whether a death was an error still, or as wanted as the end, is a matter of moments.
      static_cast<void>(support::thrown_by([&] {
        in_root([&] {
          trio::CancelScope scope;
          static_cast<void>(scope.enter([&] {
            tractor::open_nursery([&](tractor::ActorNursery& nursery) {
              std::vector<tractor::Portal> portals;
              for (int i = 0; i < 4; ++i)
                portals.push_back(
                    nursery.start_actor("victim", {.expose = tractor::expose<forever, own_pid>,
                                                   .cancel_timeout = 200ms,
                                                   .terminate_timeout = 200ms}));
              for (auto const& portal : portals) portal.run<own_pid>();
              start = Clock::now();
              if (!dead_first) scope.cancel();
              for (int victim : {0, 2})
                CHECK(kill(portals[static_cast<std::size_t>(victim)].actor().pid, signal) == 0);
              if (dead_first) scope.cancel();
              trio::sleep_forever();
            });
          }));
        });
      }));
      CHECK(since(start) < bound_here(1s));
    }
}

TEST_CASE("SIGINT tears the tree down cleanly, once, with everybody's clean-up run") {
  Program program("tree", {"idle", "2", "2"});
  std::string const tree = program.read("tree ", 1).front();
  program.read("pid ", 7);
  support::in_time(2s, [&] {
    program.signal(SIGINT);
    CHECK(program.read("cleaned up", 6).size() == 6);
    CHECK(program.wait() == 128 + SIGINT);
  });
  CHECK(support::living_actors(tree) == std::vector<std::string>());
}

TEST_CASE("SIGTERM ends the tree as cleanly") {
  Program program("tree", {"idle", "2", "2"});
  std::string const tree = program.read("tree ", 1).front();
  program.read("pid ", 7);
  program.signal(SIGTERM);
  CHECK(program.read("cleaned up", 7).size() == 7);
  CHECK(program.wait() == 128 + SIGTERM);
  CHECK(support::living_actors(tree) == std::vector<std::string>());
}

TEST_CASE(
    "SIGTERM or SIGINT to all processes at once ends the tree as cleanly as to the root alone") {
  for (int signal : {SIGTERM, SIGINT}) {
    CAPTURE(signal);
    Program program("tree", {"idle", "2", "2"}, Streams::errors_read);
    std::string const tree = program.read("tree ", 1).front();
    program.read("pid ", 7);
    program.signal_group(signal);
    while (auto const line = program.read_line()) CHECK(*line == "cleaned up");
    CHECK(program.wait() == 128 + signal);
    CHECK(support::living_actors(tree) == std::vector<std::string>());
  }
}

TEST_CASE(
    "SIGTERM to all: the root exits by it, though an actor that it ended was heard of first") {
  Program program("tree", {"group"}, Streams::errors_read);
  program.read("tree ", 1);
  CHECK_FALSE(program.read_line());
  CHECK(program.wait() == 128 + SIGTERM);
}

TEST_CASE("ctrl-C at the terminal tears the tree down cleanly, once, and a second one hurries it") {
  {
    Program program("tree", {"idle", "2", "2"}, Streams::terminal);
    std::string const tree = program.read("tree ", 1).front();
    program.read("pid ", 7);
    program.type("\x03");
    // All but the root's own body, which is interrupted.
    for (int i = 0; i < 6; ++i) CHECK(program.read_line() == "cleaned up");
    CHECK(program.read_line() == std::nullopt);
    CHECK(program.wait() == 128 + SIGINT);
    CHECK(support::living_actors(tree) == std::vector<std::string>());
  }
  {
    Program program("tree", {"stubborn", "2"}, Streams::terminal);
    program.read("pid ", 3);
    auto const start = Clock::now();
    program.type("\x03");
    program.read("will not end", 2);
    program.type("\x03");
    CHECK(program.wait() == 128 + SIGINT);
    CHECK(since(start) < bound_here(2s));
  }
}

TEST_CASE("a second SIGINT hurries a tree that takes its time to end") {
  Program program("tree", {"stubborn", "2"});
  std::string const tree = program.read("tree ", 1).front();
  program.read("pid ", 3);
  auto const start = Clock::now();
  program.signal(SIGINT);
  program.read("will not end", 2);
  program.signal(SIGINT);
  CHECK(program.wait() == 128 + SIGINT);
  CHECK(since(start) < bound_here(2s));
  CHECK(support::living_actors(tree) == std::vector<std::string>());
}

TEST_CASE("SIGTERM to one actor ends it with its clean-up, and is an error in its nursery") {
  auto const group = group_thrown_by([] {
    in_root([] {
      tractor::open_nursery([](tractor::ActorNursery& nursery) {
        auto portal = nursery.start_actor("asked by somebody", tractor::expose<forever>);
        kill(portal.actor().pid, SIGTERM);
        trio::sleep_forever();
      });
    });
  });
  auto const* error = group.find<tractor::ActorDied>();
  REQUIRE(error);
  CHECK(error->exit_code() == 128 + SIGTERM);
}

namespace {

void block_in_clean_up() {
  tractor::current_actor().lifetime().defer([] { trio::sleep_forever(); });
}

void hang_at_exit() {
  std::atexit([] { compute_for_ever(); });
}

void be_asked_at_exit() {
  std::atexit([] { raise(SIGUSR1); });
}

void ignore_sigterm() {
  signal(SIGTERM, SIG_IGN);
  compute_for_ever();
}

}  // namespace

TEST_CASE("an actor that does not end when asked is terminated, and then killed, in its bounds") {
  auto const start = Clock::now();
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      tractor::ActorOptions const impatient = {
          .expose = tractor::expose<block_in_clean_up, ignore_sigterm>,
          .cancel_timeout = 100ms,
          .terminate_timeout = 100ms};
      nursery.start_actor("slow", impatient).run<block_in_clean_up>();
      auto deaf = nursery.start_actor("deaf", impatient);
      static_cast<void>(trio::move_on_after(
          100ms, [&] { deaf.with({.cancel_patience = 0s}).run<ignore_sigterm>(); }));
      nursery.cancel();
    });
  });
  CHECK(since(start) < bound_here(1500ms));
}

TEST_CASE("asking an actor for its tasks when it is all but gone does not end it otherwise") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto portal = nursery.start_actor("asked", tractor::expose<be_asked_at_exit>);
      portal.run<be_asked_at_exit>();
      CHECK(portal.cancel_actor());
    });
  });
}

TEST_CASE("one that hangs after its goodbye is ended all the same") {
  auto const start = Clock::now();
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto portal = nursery.start_actor("hanging", {.expose = tractor::expose<hang_at_exit>,
                                                    .cancel_timeout = 100ms,
                                                    .terminate_timeout = 100ms});
      portal.run<hang_at_exit>();
      CHECK(portal.cancel_actor());
    });
  });
  CHECK(since(start) < bound_here(1s));
}

namespace {

trio::Event* callee_began = nullptr;
trio::Event* callee_ended = nullptr;

void be_called_and_wait() {
  callee_began->set();
  try {
    trio::sleep_forever();
  } catch (trio::Cancelled const&) {
    callee_ended->set();
    throw;
  }
}

void call_the_parent() { tractor::current_actor().parent().run<be_called_and_wait>(); }

}  // namespace

TEST_CASE("S2: a task that a killed actor had started elsewhere is cancelled") {
  auto const group = group_thrown_by([] {
    in_root({.expose = tractor::expose<be_called_and_wait>}, [] {
      trio::Event began;
      trio::Event ended;
      callee_began = &began;
      callee_ended = &ended;
      tractor::open_nursery([&](tractor::ActorNursery& nursery) {
        trio::shielded([&] {
          auto portal = nursery.start_actor("caller", tractor::expose<call_the_parent>);
          trio::open_nursery([&](trio::Nursery& tasks) {
            tasks.start_soon(
                [&] { CHECK_THROWS_AS(portal.run<call_the_parent>(), tractor::ActorDied); });
            began.wait();
            kill(portal.actor().pid, SIGKILL);
          });
          ended.wait();
        });
      });
    });
  });
  CHECK(group.find<tractor::ActorDied>());
}

namespace {

std::size_t tasks_of_the_parent() { return tractor::current_actor().parent().open_tasks(); }

}  // namespace

TEST_CASE("F11: ten thousand calls, cancelled at random, leave no dialog open on either side") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto portal =
          nursery.start_actor("busy", tractor::expose<forever, own_pid, tasks_of_the_parent>);
      std::uint64_t state = 42;
      auto const random = [&] {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return state >> 33;
      };
      for (int batch = 0; batch < 100; ++batch) {
        trio::open_nursery([&](trio::Nursery& tasks) {
          for (int i = 0; i < 100; ++i)
            tasks.start_soon([&, how = random() % 4, when = random() % 50] {
              static_cast<void>(trio::move_on_after(std::chrono::microseconds(when * 20), [&] {
                if (how == 0)
                  portal.run<forever>();
                else
                  portal.run<own_pid>();
              }));
              // A call that its scope has not cut short still has to end.
            });
        });
        REQUIRE(portal.open_calls() == 0);
      }
      // Only this one itself.
      CHECK(portal.run<tasks_of_the_parent>() == 1);
      portal.cancel_actor();
    });
  });
}

namespace {

// The lines that follow, up to and with one in which there is `text`.
std::string read_until(Program& program, std::string const& text) {
  std::string all;
  for (;;) {
    auto const line = program.read_line();
    REQUIRE_MESSAGE(line, "no '", text, "' in ", all);
    all += *line + "\n";
    if (line->find(text) != std::string::npos) return all;
  }
}

}  // namespace

TEST_CASE("SIGUSR1 to the root prints the tasks of the whole tree, even of one that never yields") {
  Program program("tree", {"busy", "1", "1"}, Streams::errors_read);
  program.read("pid ", 3);
  program.signal(SIGUSR1);
  std::string const root = read_until(program, "at depth 1:");
  CHECK(root.find("Tasks of actor root (pid " + std::to_string(program.pid()) + ")") !=
        std::string::npos);
  CHECK(root.find("live(") != std::string::npos);
  CHECK(root.find("in trio::sleep_forever") != std::string::npos);
  read_until(program, "at depth 2:");
  std::string const leaf = read_until(program, "compute_for_ever");
  CHECK(leaf.find("running") != std::string::npos);
  program.signal(SIGKILL);
  program.wait();
}
