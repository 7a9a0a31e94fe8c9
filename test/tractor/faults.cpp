// SPDX-License-Identifier: BSL-1.0
// What goes wrong when actors start, end, or are called, and whom it concerns. F and a number,
// where they are faults, stand for the project's table of those; B and F of scenarios for its list
// of scenarios.
#include "mark.hpp"
#include "support.hpp"

#include <tractor/testing.hpp>
#include <trio/errors.hpp>
#include <trio/process.hpp>
#include <trio/run.hpp>
#include <trio/testing.hpp>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace std::chrono_literals;
using support::bound_here;
using support::group_thrown_by;
using support::in_root;
using support::thrown_by;

namespace {

using Clock = std::chrono::steady_clock;

int own_pid() { return getpid(); }

void forever() { trio::sleep_forever(); }

void wedge() {
  for (std::atomic<int> i = 0;; ++i) {}
}

// So many actors, one below the other; the last says that it is there.
void grow(int depth) {
  if (depth == 0) {
    trio::sleep_forever();
  } else {
    tractor::open_nursery([&](tractor::ActorNursery& nursery) {
      auto const portal = nursery.start_actor("below", tractor::expose<grow>);
      portal.run<grow>(depth - 1);
    });
  }
}

// -------------------------------------------------------------------------------------- F22

// Runs `harm(nursery, tasks)` in a scope, with a nursery for actors and one for tasks, and cancels
// that when all have come to rest, or at once; checks that it ends in its bounds.
using Harm = std::function<void(tractor::ActorNursery&, trio::Nursery&)>;

tractor::ActorOptions impatient(tractor::Exposed exposed) {
  return {.expose = exposed, .cancel_timeout = 200ms, .terminate_timeout = 200ms};
}

void cancel_during(bool at_rest, Harm const& harm) {
  CAPTURE(at_rest);
  Clock::time_point start;
  // Whether what was done was an error still, or as wanted as the end, is a matter of moments.
  static_cast<void>(thrown_by([&] {
    in_root([&] {
      trio::CancelScope scope;
      static_cast<void>(scope.enter([&] {
        tractor::open_nursery([&](tractor::ActorNursery& nursery) {
          trio::open_nursery([&](trio::Nursery& tasks) {
            harm(nursery, tasks);
            // The harm may end the wait before all are at rest.
            start = Clock::now();
            if (at_rest) trio::testing::wait_all_tasks_blocked();
            scope.cancel();
          });
        });
      }));
    });
  }));
  CHECK(Clock::now() - start < bound_here(1s));
}

}  // namespace

TEST_CASE("F22: cancelling the root while an actor is wedged ends all the same") {
  for (bool at_rest : {true, false})
    cancel_during(at_rest, [](tractor::ActorNursery& nursery, trio::Nursery& tasks) {
      auto const portal = nursery.start_actor("wedged", impatient(tractor::expose<wedge>));
      tasks.start_soon([portal] { portal.with({.cancel_patience = 0s}).run<wedge>(); });
    });
}

TEST_CASE("F22: so does it while a link is being lost") {
  for (bool at_rest : {true, false})
    for (bool stopped : {true, false})
      cancel_during(at_rest, [&](tractor::ActorNursery& nursery, trio::Nursery&) {
        auto const portal = nursery.start_actor("cut off", impatient(tractor::expose<forever>));
        if (stopped) kill(portal.actor().pid, SIGSTOP);
        tractor::testing::break_link(portal);
      });
}

TEST_CASE("F22: so does it while one in the middle of the tree is killed or stopped") {
  for (bool at_rest : {true, false})
    for (int signal : {SIGKILL, SIGSTOP})
      cancel_during(at_rest, [&](tractor::ActorNursery& nursery, trio::Nursery& tasks) {
        auto const portal = nursery.start_actor("middle", impatient(tractor::expose<grow>));
        tasks.start_soon([portal] { portal.run<grow>(2); });
        trio::testing::wait_all_tasks_blocked();
        kill(portal.actor().pid, signal);
      });
}

TEST_CASE("F22: so does it while actors are being started") {
  for (bool at_rest : {true, false}) {
    cancel_during(at_rest, [](tractor::ActorNursery& nursery, trio::Nursery& tasks) {
      for (int i = 0; i < 4; ++i)
        tasks.start_soon(
            [&] { nursery.start_actor("starting", impatient(tractor::expose<forever>)); });
      for (int i = 0; i < 4; ++i)
        nursery.run_in_actor<forever>(impatient(tractor::expose<forever>));
    });
    cancel_during(at_rest, [](tractor::ActorNursery& nursery, trio::Nursery& tasks) {
      tasks.start_soon([&] {
        nursery.start_actor("mute", {.executable = support::program("never_links_up"),
                                     .cancel_timeout = 200ms,
                                     .terminate_timeout = 200ms});
      });
    });
  }
}

// ------------------------------------------------------------------------------------- starting

TEST_CASE(
    "F21: no descriptors left for the first actor is an error with a sentence, nothing more") {
  std::size_t failed = 0;
  // From none on, until it has succeeded three times.
  for (std::size_t spare = 0; spare < failed + 3; ++spare) {
    CAPTURE(spare);
    REQUIRE(spare < 100);
    in_root([&] {
      rlimit limit = {};
      getrlimit(RLIMIT_NOFILE, &limit);
      rlimit tight = limit;
      tight.rlim_cur = support::open_descriptors() + spare;
      setrlimit(RLIMIT_NOFILE, &tight);
      auto const error = thrown_by([] {
        tractor::open_nursery([](tractor::ActorNursery& nursery) {
          nursery.start_actor("first", tractor::expose<own_pid>).cancel_actor();
        });
      });
      setrlimit(RLIMIT_NOFILE, &limit);
      failed += error != nullptr;
      CAPTURE(trio::describe(error));
      if (error) CHECK(trio::describe(error).find("tractor: ") != std::string::npos);
    });
  }
  CHECK(failed > 0);
}

TEST_CASE("F21: a directory for sockets that cannot be made is an error with a sentence") {
  // Which even root cannot.
  char const* const before = std::getenv("XDG_RUNTIME_DIR");
  std::string const restored = before ? before : "";
  setenv("XDG_RUNTIME_DIR", "/proc", 1);
  bool const can_be_asked_for = access("/proc", W_OK) == 0;
  auto const error = thrown_by([] {
    in_root([] {
      tractor::open_nursery([](tractor::ActorNursery& nursery) {
        nursery.start_actor("first", tractor::expose<own_pid>).cancel_actor();
      });
    });
  });
  setenv("XDG_RUNTIME_DIR", restored.c_str(), 1);
  // Where it is not ours to write to, /tmp is.
  if (!can_be_asked_for) return;
  CAPTURE(trio::describe(error));
  CHECK(trio::describe(error).find("cannot make a directory for sockets, /proc/") !=
        std::string::npos);
}

namespace {

struct Ended {
  int code;
  std::string errors;
};

Ended run_in_shell(std::vector<std::string> shell, std::string script) {
  return trio::run([&] {
    shell.insert(shell.end(), {"sh", "-c", std::move(script)});
    auto const ended =
        trio::run_process(std::move(shell), {.capture_errors = true, .check = false});
    return Ended{ended.status.signalled ? -ended.status.status : ended.status.status, ended.errors};
  });
}

}  // namespace

TEST_CASE("F21: a file system that is full is an error with a sentence") {
  std::vector<std::string> const in_namespace = {"unshare", "--user", "--map-root-user", "--mount"};
  if (run_in_shell(in_namespace, "true").code != 0) {
    MESSAGE("not run: no namespace to mount a small file system in");
    return;
  }
  // Of which the file system itself takes one.
  int failed = 0;
  for (int inodes = 1; inodes <= failed + 3; ++inodes) {
    CAPTURE(inodes);
    REQUIRE(inodes < 20);
    auto const ended = run_in_shell(
        in_namespace, "mount -t tmpfs -o mode=700,nr_inodes=" + std::to_string(inodes) +
                          " full /mnt && XDG_RUNTIME_DIR=/mnt exec " +
                          support::program("one_actor"));
    CAPTURE(ended.errors);
    CHECK((ended.code == 0 || ended.code == 1));
    failed += ended.code != 0;
    if (ended.code == 0) continue;
    CHECK(ended.errors.find("tractor: cannot ") != std::string::npos);
    CHECK(ended.errors.find("No space left on device") != std::string::npos);
  }
  CHECK(failed > 0);
}

TEST_CASE("F21: too little memory, or none for the threads of links, is an error, and no abort") {
  // The address space that a sanitizer takes has no bound.
  if (support::sanitized || support::under_tsan) return;
  for (std::string const arguments : {"", " tcp"}) {
    CAPTURE(arguments);
    bool is_told = false;
    for (int mebibytes = 24;; mebibytes += 4) {
      CAPTURE(mebibytes);
      REQUIRE(mebibytes < 400);
      auto const ended =
          run_in_shell({}, "ulimit -v " + std::to_string(mebibytes << 10) + "; exec " +
                               support::program("one_actor") + arguments);
      CAPTURE(ended.errors);
      if (ended.code == 0) break;
      // Not even the dynamic linker had enough.
      if (ended.code == 127) continue;
      CHECK(ended.code == 1);
      CHECK(ended.errors.find("tractor: ") != std::string::npos);
      is_told |= ended.errors.find("cannot start a thread for links") != std::string::npos;
    }
    // Links over Unix sockets have none.
    CHECK(is_told == !arguments.empty());
  }
}

TEST_CASE("B6: a program that does not come as far as its main is ActorDied, with its last words") {
  auto const error = thrown_by([] {
    in_root([] {
      tractor::open_nursery([](tractor::ActorNursery& nursery) {
        nursery.start_actor("early", {.executable = support::program("throws_before_main")});
      });
    });
  });
  auto const* group = trio::exception_cast<trio::BaseExceptionGroup>(error);
  auto const* died =
      group ? group->find<tractor::ActorDied>() : trio::exception_cast<tractor::ActorDied>(error);
  CAPTURE(trio::describe(error));
  REQUIRE(died);
  CHECK(died->signal() == SIGABRT);
  CHECK(died->stderr_tail().find("there is no configuration") != std::string::npos);
}

// -------------------------------------------------------------------------------------- calling

namespace {

void not_exposed() {}

void call_what_is_not_exposed() { tractor::current_actor().parent().run<not_exposed>(); }

}  // namespace

TEST_CASE("B6: what a parent does not expose is refused to a child, whose error says so there") {
  static_cast<void>(tractor::expose<not_exposed>);
  auto const group = group_thrown_by([] {
    in_root([] {
      tractor::open_nursery([](tractor::ActorNursery& nursery) {
        nursery.run_in_actor<call_what_is_not_exposed>({.name = "curious"});
      });
    });
  });
  auto const* error = group.find<tractor::RemoteActorError>();
  REQUIRE(error);
  CHECK(error->type_name() == "tractor::FunctionNotExposed");
  CHECK(error->source().name == "curious");
  CHECK(error->message().find("actor root (pid " + std::to_string(getpid()) + ") refuses") !=
        std::string::npos);
  CHECK(error->message().find("not_exposed") != std::string::npos);
}

namespace {

trio::Event* callers_there = nullptr;
trio::Event* may_answer = nullptr;
trio::Event* has_failed = nullptr;
int there = 0;

void be_there() {
  if (++there == 2) callers_there->set();
}

void fail_in_clean_up() {
  be_there();
  try {
    trio::sleep_forever();
  } catch (trio::Cancelled const&) {
    has_failed->set();
    throw std::runtime_error("nobody waits for this");
  }
}

int answer_later() {
  be_there();
  may_answer->wait();
  return 42;
}

void call_what_fails() { tractor::current_actor().parent().run<fail_in_clean_up>(); }

int call_what_answers() { return tractor::current_actor().parent().run<answer_later>(); }

}  // namespace

TEST_CASE("B11: a task that fails when its caller has gone concerns nobody else") {
  trio::Event both;
  trio::Event answer;
  trio::Event failed;
  callers_there = &both;
  may_answer = &answer;
  has_failed = &failed;
  there = 0;
  in_root({.expose = tractor::expose<fail_in_clean_up, answer_later>}, [&] {
    tractor::open_nursery([&](tractor::ActorNursery& nursery) {
      auto const other = nursery.start_actor("other", tractor::expose<call_what_answers>);
      auto const group = group_thrown_by([&] {
        tractor::open_nursery([&](tractor::ActorNursery& inner) {
          auto const caller = inner.start_actor("caller", tractor::expose<call_what_fails>);
          trio::shielded([&] {
            trio::open_nursery([&](trio::Nursery& tasks) {
              tasks.start_soon(
                  [&] { CHECK_THROWS_AS(caller.run<call_what_fails>(), tractor::ActorDied); });
              tasks.start_soon([&] { CHECK(other.run<call_what_answers>() == 42); });
              both.wait();
              kill(caller.actor().pid, SIGKILL);
              failed.wait();
              trio::testing::wait_all_tasks_blocked();
              CHECK(caller.open_tasks() == 0);
              CHECK(other.open_tasks() == 1);
              answer.set();
            });
          });
        });
      });
      CHECK(group.find<tractor::ActorDied>());
      CHECK(group.exceptions().size() == 1);
      nursery.cancel();
    });
  });
}

// --------------------------------------------------------------------------------------- ending

namespace {

// As an actor does when it ends as it should.
void remove_at_the_end(std::string const& path) {
  tractor::current_actor().lifetime().defer([path] { unlink(path.c_str()); });
}

}  // namespace

TEST_CASE("F1: a SIGINT in the body ends a daemon with its clean-up, and comes out as it is") {
  support::Mark const mark;
  // In place of the test runner's.
  auto const before = signal(SIGINT, SIG_DFL);
  auto const error = thrown_by([&] {
    in_root([&] {
      tractor::open_nursery([&](tractor::ActorNursery& nursery) {
        auto const daemon = nursery.start_actor("daemon", tractor::expose<remove_at_the_end>);
        daemon.run<remove_at_the_end>(mark.path());
        CHECK(mark.is_there());
        raise(SIGINT);
        trio::sleep_forever();
      });
    });
  });
  signal(SIGINT, before);
  CHECK_FALSE(mark.is_there());
  auto const* group = trio::exception_cast<trio::BaseExceptionGroup>(error);
  CAPTURE(trio::describe(error));
  CHECK((group ? group->exceptions().size() == 1 && group->find<trio::Interrupted>()
               : trio::exception_cast<trio::Interrupted>(error) != nullptr));
}

TEST_CASE("F5: a daemon whose nursery waits at its end is ended gracefully when a sibling fails") {
  support::Mark const mark;
  Clock::time_point start;
  auto const group = group_thrown_by([&] {
    in_root([&] {
      trio::Event used;
      trio::open_nursery([&](trio::Nursery& tasks) {
        tasks.start_soon([&] {
          tractor::open_nursery([&](tractor::ActorNursery& nursery) {
            auto const daemon = nursery.start_actor("daemon", tractor::expose<remove_at_the_end>);
            daemon.run<remove_at_the_end>(mark.path());
            used.set();
          });
        });
        used.wait();
        trio::testing::wait_all_tasks_blocked();
        start = Clock::now();
        throw std::runtime_error("a sibling's");
      });
    });
  });
  CHECK(Clock::now() - start < bound_here(1s));
  CHECK(group.find<std::runtime_error>());
  CHECK(group.exceptions().size() == 1);
  CHECK_FALSE(mark.is_there());
}
