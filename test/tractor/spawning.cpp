// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <signal.h>
#include <unistd.h>

using namespace std::chrono_literals;
using support::in_root;

namespace {

std::optional<std::string> most_beautiful_word(bool speak) {
  if (speak) return "mezcal";
  return std::nullopt;
}

pid_t own_pid() { return getpid(); }

std::string own_name() { return tractor::current_actor().name(); }

}  // namespace

TEST_CASE("A7: a one-shot's result is there inside the block and after it, and again") {
  in_root([] {
    auto portal = support::in_time(1s, [] {
      return tractor::open_nursery([](tractor::ActorNursery& nursery) {
        auto one_shot = nursery.run_in_actor<most_beautiful_word>(true);
        CHECK(one_shot.result() == "mezcal");
        return one_shot;
      });
    });
    CHECK(portal.result() == "mezcal");
    CHECK(portal.result() == "mezcal");
  });
}

TEST_CASE("an actor's options may come first, with its name among them, or last") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto const name_of = [](tractor::Portal portal) {
        auto const name = portal.run<own_name>();
        portal.cancel_actor();
        return name;
      };
      // gcc would make a std::string of such braces.
      CHECK(name_of(nursery.start_actor({.name = "first", .capture_stderr = false},
                                        tractor::expose<own_name>)) == "first");
      CHECK(name_of(nursery.start_actor({.name = "all", .expose = tractor::expose<own_name>})) ==
            "all");
      CHECK(name_of(nursery.start_actor("last", tractor::expose<own_name>,
                                        {.capture_stderr = false})) == "last");
      CHECK(name_of(nursery.start_actor(std::string("both"),
                                        {.expose = tractor::expose<own_name>})) == "both");
    });
  });
}

TEST_CASE("A7: no value is a result as well as any") {
  auto portal = in_root([] {
    auto one_shot = tractor::open_nursery([](tractor::ActorNursery& nursery) {
      return nursery.run_in_actor<most_beautiful_word>(false);
    });
    CHECK(one_shot.result() == std::nullopt);
    return one_shot;
  });
  // Even when the run is over.
  CHECK(portal.result() == std::nullopt);
}

TEST_CASE("a function runs in another process, which is reaped when the block ends") {
  in_root([] {
    pid_t child = 0;
    tractor::open_nursery([&](tractor::ActorNursery& nursery) {
      auto portal = nursery.run_in_actor<own_pid>();
      child = portal.result();
      CHECK(child != getpid());
      CHECK(child == portal.actor().pid);
    });
    CHECK(kill(child, 0) == -1);
    CHECK(errno == ESRCH);
  });
}

namespace {

int recurse(int levels) {
  if (levels == 0) return tractor::current_actor().depth();
  return tractor::open_nursery([&](tractor::ActorNursery& nursery) {
    return nursery.run_in_actor<recurse>(levels - 1).result();
  });
}

}  // namespace

TEST_CASE("A5: a function may run itself in a child, nested to any depth") {
  in_root([] { CHECK(recurse(5) == 5); });
}

namespace {

int greetings = 0;

std::string greet(std::string_view who) {
  return std::string(who) + " " + std::to_string(++greetings);
}

}  // namespace

TEST_CASE("A6: a daemon answers calls, keeps its state, and lives until it is cancelled") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto frank = nursery.start_actor("frank", tractor::expose<greet>);
      CHECK(frank.run<greet>("hello") == "hello 1");
      CHECK(frank.run<greet>("still here") == "still here 2");
      CHECK(nursery.child_count() == 1);
      CHECK(frank.cancel_actor());
      nursery.join();
      CHECK(nursery.child_count() == 0);
    });
  });
}

TEST_CASE("a portal whose actor has ended says so at once") {
  in_root([] {
    auto frank = tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto portal = nursery.start_actor("frank", tractor::expose<greet>);
      portal.cancel_actor();
      nursery.join();
      CHECK_THROWS_AS(portal.run<greet>("anybody?"), tractor::TransportClosed);
      return portal;
    });
    CHECK_THROWS_AS(frank.run<greet>("anybody?"), tractor::TransportClosed);
    CHECK(frank.cancel_actor());
  });
}

TEST_CASE("F1: cancelling the nursery ends idle daemons quietly") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto daemon = nursery.start_actor("idle", tractor::expose<own_pid>);
      daemon.run<own_pid>();
      nursery.cancel();
      CHECK(nursery.cancel_called());
    });
  });
}

TEST_CASE("many one-shots come up at once, and all results arrive") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      std::vector<tractor::ResultPortal<pid_t>> portals;
      for (int i = 0; i < 8; ++i) portals.push_back(nursery.run_in_actor<own_pid>());
      for (auto& portal : portals) CHECK(portal.result() == portal.actor().pid);
    });
  });
}

TEST_CASE("actors can be reached over tcp, by choice") {
  in_root({.transport = tractor::TransportKind::tcp}, [] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      CHECK(nursery.run_in_actor<own_pid>().result() != getpid());
      auto daemon = nursery.start_actor("tcp", tractor::expose<greet>);
      CHECK(daemon.run<greet>("hello") == "hello 1");
      daemon.cancel_actor();
    });
  });
}

namespace {

int double_of(int x) { return 2 * x; }

int ask_the_parent(int x) { return tractor::current_actor().parent().run<double_of>(x); }

}  // namespace

TEST_CASE("a child may call back what its parent exposes") {
  in_root({.expose = tractor::expose<double_of>}, [] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      CHECK(nursery.run_in_actor<ask_the_parent>(21).result() == 42);
    });
  });
}

TEST_CASE("the body's value comes out of the block") {
  int const answer = in_root([] {
    return tractor::open_nursery([](tractor::ActorNursery& nursery) {
      return nursery.run_in_actor<double_of>(21).result();
    });
  });
  CHECK(answer == 42);
}

TEST_CASE("F10: a program that cannot be executed is an error at once, with its name") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      try {
        nursery.start_actor("ghost", {.executable = "/nonexistent/program"});
        FAIL("it started");
      } catch (tractor::SpawnError const& error) {
        CHECK(std::string(error.what()).find("/nonexistent/program") != std::string::npos);
        CHECK(std::string(error.what()).find("No such file") != std::string::npos);
      }
    });
  });
}

TEST_CASE("F10: a program that ends before it links up is ActorDied, with its exit code") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      try {
        nursery.start_actor("false", {.executable = "/bin/false"});
        FAIL("it started");
      } catch (tractor::ActorDied const& error) {
        CHECK(error.exit_code() == 1);
        CHECK(error.signal() == 0);
        CHECK(error.actor().name == "false");
      }
    });
  });
}

TEST_CASE("a program that never links up is ended when the spawn timeout has passed") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      try {
        nursery.start_actor("mute", {.executable = support::program("never_links_up"),
                                     .spawn_timeout = 50ms,
                                     .cancel_timeout = 10ms});
        FAIL("it started");
      } catch (tractor::ActorDied const& error) {
        CHECK(std::string(error.what()).find("did not link up in time") != std::string::npos);
      }
    });
  });
}
