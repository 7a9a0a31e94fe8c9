// SPDX-License-Identifier: BSL-1.0
#include "mark.hpp"
#include "support.hpp"

#include <trio/testing.hpp>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

using namespace std::chrono_literals;
using support::in_root;

TEST_CASE("A1: without a runtime, asking for the current actor throws NoRuntime") {
  CHECK_THROWS_AS(tractor::current_actor(), tractor::NoRuntime);
  trio::run([] { CHECK_THROWS_AS(tractor::current_actor(), tractor::NoRuntime); });
}

TEST_CASE("A2: a second root in the root is refused") {
  in_root([] {
    CHECK_THROWS_AS(tractor::open_root_actor({}, [] {}), tractor::RuntimeFailure);
    CHECK_THROWS_AS(tractor::open_nursery(tractor::RootOptions{}, [](auto&) {}),
                    tractor::RuntimeFailure);
  });
}

namespace {
void open_a_second_root() {
  tractor::open_root_actor({}, [] {});
}
}  // namespace

TEST_CASE("A2: a second root in a child is refused, and the parent learns it") {
  auto const group = support::group_thrown_by([] {
    in_root([] {
      tractor::open_nursery(
          [](tractor::ActorNursery& nursery) { nursery.run_in_actor<open_a_second_root>(); });
    });
  });
  auto* error = group.find<tractor::RemoteActorError>();
  REQUIRE(error);
  CHECK(error->type_name() == "tractor::RuntimeFailure");
}

TEST_CASE("A3: the first actor nursery starts a root actor, which is gone afterwards") {
  trio::run([] {
    tractor::open_nursery([](tractor::ActorNursery&) {
      CHECK(tractor::current_actor().name() == "root");
      CHECK(tractor::current_actor().is_root());
    });
    CHECK_THROWS_AS(tractor::current_actor(), tractor::NoRuntime);
  });
}

TEST_CASE("A3: open_nursery takes the options of the root it starts") {
  trio::run([] {
    tractor::open_nursery({.name = "boss", .log_level = tractor::LogLevel::error},
                          [](tractor::ActorNursery&) {
                            CHECK(tractor::current_actor().name() == "boss");
                            CHECK(tractor::current_actor().log_level() == tractor::LogLevel::error);
                          });
  });
}

TEST_CASE("A4: a second root may follow the first, and starts with nothing of it") {
  trio::run([] {
    tractor::open_root_actor({.name = "one", .runtime_vars = {{"debug_mode", "yes"}}}, [] {
      CHECK(tractor::current_actor().runtime_vars().at("debug_mode") == "yes");
    });
    tractor::open_root_actor({}, [] {
      CHECK(tractor::current_actor().runtime_vars().empty());
      CHECK(tractor::current_actor().name() == "root");
    });
  });
}

namespace {
struct Introspection {
  std::string name;
  int depth = 0;
  bool is_root_process = true;
  bool is_root = true;
  std::string parent;
  std::string log_level;
  std::map<std::string, std::string> runtime_vars;
  std::string tree_id;

  template <class Archive> void serialize(Archive& archive) {
    archive(name, depth, is_root_process, is_root, parent, log_level, runtime_vars, tree_id);
  }
};

Introspection introspect() {
  auto& actor = tractor::current_actor();
  return {actor.name(),
          actor.depth(),
          tractor::is_root_process(),
          actor.is_root(),
          actor.parent().actor().name,
          std::string(tractor::name(actor.log_level())),
          actor.runtime_vars(),
          actor.tree_id()};
}

Introspection introspect_in_a_child() {
  return tractor::open_nursery([](tractor::ActorNursery& nursery) {
    return nursery
        .run_in_actor<introspect>(
            {.name = "grandchild", .runtime_vars = {{"colour", "blue"}, {"depth", "2"}}})
        .result();
  });
}
}  // namespace

TEST_CASE("A8: log level and runtime variables are inherited down the tree and may be overridden") {
  in_root({.log_level = tractor::LogLevel::cancel, .runtime_vars = {{"colour", "red"}}}, [] {
    CHECK(tractor::is_root_process());
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto child = nursery.run_in_actor<introspect>({.log_level = tractor::LogLevel::error});
      auto nested = nursery.run_in_actor<introspect_in_a_child>();
      Introspection const is = child.result();
      CHECK(is.name == "introspect");
      CHECK(is.depth == 1);
      CHECK_FALSE(is.is_root_process);
      CHECK_FALSE(is.is_root);
      CHECK(is.parent == "root");
      CHECK(is.log_level == "error");
      CHECK(is.runtime_vars == tractor::RuntimeVars{{"colour", "red"}});
      CHECK(is.tree_id == tractor::current_actor().tree_id());
      Introspection const below = nested.result();
      CHECK(below.name == "grandchild");
      CHECK(below.depth == 2);
      CHECK(below.parent == "introspect_in_a_child");
      CHECK(below.log_level == "cancel");
      CHECK(below.runtime_vars == tractor::RuntimeVars{{"colour", "blue"}, {"depth", "2"}});
      CHECK(below.tree_id == is.tree_id);
    });
  });
}

namespace {
std::pair<std::string, std::string> title() {
  std::ifstream command("/proc/self/cmdline", std::ios::binary);
  std::ifstream name("/proc/self/comm");
  std::pair<std::string, std::string> found;
  std::getline(command, found.first, '\0');
  std::getline(name, found.second);
  return found;
}
}  // namespace

TEST_CASE("A10: a child's process shows the actor's name and tree, the root's does not") {
  in_root([] {
    auto const of_child = tractor::open_nursery([](tractor::ActorNursery& nursery) {
      return nursery.run_in_actor<title>({.name = "painter"}).result();
    });
    CHECK(of_child.first == "_subactor[painter@" + tractor::current_actor().tree_id() + "]");
    CHECK(of_child.second == "painter");
    CHECK(title().first.find("_subactor") == std::string::npos);
  });
}

namespace {
void remove_at_end(std::string const& path) {
  tractor::current_actor().lifetime().defer([path] {
    // Clean-up may wait, although everything is cancelled.
    trio::sleep(std::chrono::milliseconds(1));
    std::filesystem::remove(path);
  });
}

void remove_at_end_and_fail(std::string const& path) {
  remove_at_end(path);
  throw std::out_of_range("and then this");
}

void remove_at_end_and_sleep(std::string const& path) {
  remove_at_end(path);
  trio::sleep_forever();
}

}  // namespace

TEST_CASE("A9: deferred clean-up runs when an actor's task has returned") {
  support::Mark const mark;
  in_root([&] {
    tractor::open_nursery(
        [&](tractor::ActorNursery& nursery) { nursery.run_in_actor<remove_at_end>(mark.path()); });
    CHECK_FALSE(mark.is_there());
  });
}

TEST_CASE("A9: deferred clean-up runs when an actor's task has failed, and the error arrives") {
  support::Mark const mark;
  auto const group = support::group_thrown_by([&] {
    in_root([&] {
      tractor::open_nursery([&](tractor::ActorNursery& nursery) {
        nursery.run_in_actor<remove_at_end_and_fail>(mark.path());
      });
    });
  });
  CHECK_FALSE(mark.is_there());
  REQUIRE(group.find<tractor::RemoteActorError>());
  CHECK(group.find<tractor::RemoteActorError>()->message() == "and then this");
}

TEST_CASE("A9: deferred clean-up runs when an actor is cancelled, and its calls say so") {
  support::Mark const mark;
  in_root([&] {
    tractor::open_nursery([&](tractor::ActorNursery& nursery) {
      auto portal =
          nursery.start_actor("sleeper", tractor::expose<remove_at_end_and_sleep, introspect>);
      trio::open_nursery([&](trio::Nursery& tasks) {
        tasks.start_soon([&] {
          CHECK_THROWS_AS(portal.run<remove_at_end_and_sleep>(mark.path()),
                          tractor::ContextCancelled);
        });
        trio::testing::wait_all_tasks_blocked();
        // The actor takes messages in order: after this one, the other has begun.
        portal.run<introspect>();
        CHECK(portal.cancel_actor());
      });
    });
    CHECK_FALSE(mark.is_there());
  });
}

TEST_CASE("deferred clean-up runs in the root too, last deferred first, on every way out") {
  std::string order;
  auto const defer_two = [&] {
    tractor::current_actor().lifetime().defer([&] { order += "a"; });
    tractor::current_actor().lifetime().defer([&] { order += "b"; });
  };
  in_root(defer_two);
  CHECK(order == "ba");
  CHECK_THROWS_AS(in_root([&] {
                    defer_two();
                    throw std::runtime_error("no");
                  }),
                  std::runtime_error);
  CHECK(order == "baba");
}

TEST_CASE("a SIGINT during deferred clean-up does not cut it, and is not lost") {
  bool cleaned_up = false;
  // In place of the test runner's.
  auto const before = signal(SIGINT, SIG_DFL);
  CHECK_THROWS_AS(in_root([&] {
                    tractor::current_actor().lifetime().defer([&] {
                      raise(SIGINT);
                      trio::sleep(20ms);
                      cleaned_up = true;
                    });
                  }),
                  trio::Interrupted);
  signal(SIGINT, before);
  CHECK(cleaned_up);
}

TEST_CASE("an actor nursery that outlives its root has its actors ended with the root") {
  pid_t pid = 0;
  trio::run([&] {
    trio::open_nursery([&](trio::Nursery& outer) {
      trio::Event started;
      tractor::open_root_actor({}, [&] {
        outer.start_soon([&] {
          tractor::open_nursery([&](tractor::ActorNursery& nursery) {
            pid = nursery.start_actor("left over", tractor::expose<introspect>).actor().pid;
            started.set();
            trio::sleep_forever();
          });
        });
        started.wait();
      });
      CHECK(kill(pid, 0) == -1);
      outer.cancel_scope().cancel();
    });
  });
}

TEST_CASE("a portal that outlives its root says that the actor is gone") {
  trio::run([] {
    auto const portal = tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto actor = nursery.start_actor("gone", tractor::expose<introspect>);
      actor.cancel_actor();
      return actor;
    });
    CHECK_THROWS_AS(portal.run<introspect>(), tractor::TransportClosed);
    CHECK(portal.cancel_actor());
  });
}

TEST_CASE("TRACTOR_LOGLEVEL overrides the level that the program asks for") {
  setenv("TRACTOR_LOGLEVEL", "error", 1);
  in_root({.log_level = tractor::LogLevel::debug},
          [] { CHECK(tractor::current_actor().log_level() == tractor::LogLevel::error); });
  unsetenv("TRACTOR_LOGLEVEL");
}

namespace {

// What they lead to, without the numbers that make each another. Not those of kind eventfd: ZeroMQ
// closes some of its own when it likes.
std::vector<std::string> descriptors_here() {
  std::vector<std::string> all;
  for (auto const& each : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code closed_meanwhile;
    auto target = std::filesystem::read_symlink(each, closed_meanwhile).string();
    std::erase_if(target, [](unsigned char letter) { return std::isdigit(letter) != 0; });
    if (target != "anon_inode:[eventfd]") all.push_back(std::move(target));
  }
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

TEST_CASE("an actor inherits no descriptor but those that are meant for it") {
  int const open_to_all = dup(0);
  std::vector<std::string> here;
  std::vector<std::string> more;
  in_root([&] {
    tractor::open_nursery([&](tractor::ActorNursery& nursery) {
      here = nursery.run_in_actor<descriptors_here>().result();
      std::vector<int> others;
      for (int i = 0; i < 10; ++i) others.push_back(dup(open_to_all));
      more = nursery.run_in_actor<descriptors_here>().result();
      for (int fd : others) close(fd);
    });
  });
  close(open_to_all);
  CHECK(fmt::format("{}", fmt::join(more, "\n")) == fmt::format("{}", fmt::join(here, "\n")));
}
