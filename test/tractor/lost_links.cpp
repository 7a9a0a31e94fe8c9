// SPDX-License-Identifier: BSL-1.0
// Links that are lost, or whose other end stands still: who notices, and who may not. X and a
// number stand for errors that were there once.
#include "debugger.hpp"
#include "support.hpp"

#include <tractor/testing.hpp>
#include <trio/errors.hpp>

#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include <signal.h>
#include <unistd.h>

using namespace std::chrono_literals;
using support::bound_here;
using support::Debugger;
using support::group_thrown_by;
using support::in_root;
using support::process_slowness;
using support::Stopped;
using support::thrown_by;
using tractor::TransportKind;

namespace {

using Clock = std::chrono::steady_clock;

int own_pid() { return getpid(); }

void forever() { trio::sleep_forever(); }

void take_for_ever_to_clean_up() {
  tractor::current_actor().lifetime().defer([] { trio::sleep_forever(); });
}

void hang_at_exit() {
  std::atexit([] {
    for (;;) pause();
  });
}

// What becomes known of an actor to which `harm(portal)` is done, by the end of its nursery.
template <class Harm> tractor::ActorDied death_after(Harm&& harm) {
  trio::BaseExceptionGroup const group = group_thrown_by([&] {
    in_root([&] {
      tractor::open_nursery([&](tractor::ActorNursery& nursery) {
        auto portal = nursery.start_actor(
            "victim", {.expose = tractor::expose<own_pid, take_for_ever_to_clean_up, hang_at_exit>,
                       .cancel_timeout = 50ms * process_slowness,
                       .terminate_timeout = 50ms * process_slowness});
        harm(portal);
        nursery.join();
      });
    });
  });
  REQUIRE(group.exceptions().size() == 1);
  auto const* error = group.find<tractor::ActorDied>();
  REQUIRE(error);
  return *error;
}

}  // namespace

TEST_CASE("X1: an actor that does not end when its link is lost is killed, and is ActorDied") {
  SUBCASE("a stopped one") {
    auto const error = death_after([](tractor::Portal const& portal) {
      kill(portal.actor().pid, SIGSTOP);
      tractor::testing::break_link(portal);
    });
    CHECK(error.signal() == SIGKILL);
    CHECK(std::string(error.what()).find("the link with it was lost") != std::string::npos);
  }
  SUBCASE("one that takes too long to clean up") {
    auto const error = death_after([](tractor::Portal const& portal) {
      portal.run<take_for_ever_to_clean_up>();
      tractor::testing::break_link(portal);
    });
    CHECK(std::string(error.what()).find("the link with it was lost") != std::string::npos);
  }
}

TEST_CASE("one that says goodbye unasked, and then hangs, is ActorDied too") {
  auto const error = death_after([](tractor::Portal const& portal) {
    portal.run<hang_at_exit>();
    kill(portal.actor().pid, SIGTERM);
  });
  CHECK(error.signal() == SIGTERM);
  CHECK(std::string(error.what()).find("goodbye unasked") != std::string::npos);
}

namespace {

tractor::Portal const* below = nullptr;

void have_one_below() {
  tractor::open_nursery([](tractor::ActorNursery& nursery) {
    auto const portal = nursery.start_actor("below", tractor::expose<own_pid>);
    below = &portal;
    trio::sleep_forever();
  });
}

int pid_below() {
  while (!below) trio::lowlevel::checkpoint();
  return below->run<own_pid>();
}

}  // namespace

TEST_CASE("X2: over tcp too, an actor may stand still in a debugger, or if that is allowed") {
  // As long as no clock of ZeroMQ's or TCP's, had we set one, would let pass.
  static constexpr auto long_time = 5s;
  in_root({.transport = TransportKind::tcp}, [] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto const held = nursery.start_actor(
          "held", {.expose = tractor::expose<own_pid, have_one_below, pid_below>,
                   .unresponsive_after = 500ms * process_slowness});
      auto const patient = nursery.start_actor(
          "stopped", {.expose = tractor::expose<own_pid>, .unresponsive_after = std::nullopt});
      trio::open_nursery([&](trio::Nursery& tasks) {
        tasks.start_soon([&] { held.run<have_one_below>(); });
        int const pid = held.run<pid_below>();
        {
          Debugger const debugger(held.actor().pid);
          Stopped const stopped(patient.actor().pid);
          trio::sleep(long_time);
        }
        CHECK(held.run<own_pid>() == held.actor().pid);
        CHECK(patient.run<own_pid>() == patient.actor().pid);
        // Nor has the one below given up the one that was held.
        CHECK(held.run<pid_below>() == pid);
        tasks.cancel_scope().cancel();
      });
      nursery.cancel();
    });
  });
}

TEST_CASE("F4: over tcp too, one that is stopped is ActorDied when its time is up, not before") {
  for (auto const bound : {300ms, 1500ms}) {
    auto const group = group_thrown_by([&] {
      in_root({.transport = TransportKind::tcp}, [&] {
        tractor::open_nursery([&](tractor::ActorNursery& nursery) {
          auto const portal = nursery.start_actor(
              "silent",
              {.expose = tractor::expose<forever>, .unresponsive_after = bound * process_slowness});
          Stopped const stopped(portal.actor().pid);
          auto const start = Clock::now();
          auto const error = thrown_by([&] { trio::shielded([&] { portal.run<forever>(); }); });
          CHECK(Clock::now() - start >= bound * process_slowness);
          CHECK(Clock::now() - start <= bound_here(bound + 500ms));
          auto const* death = trio::exception_cast<tractor::ActorDied>(error);
          REQUIRE(death);
          CHECK(std::string(death->what()).find("unresponsive_after") != std::string::npos);
        });
      });
    });
    CHECK(group.exceptions().size() == 1);
  }
}

namespace {

struct Numbers {
  using Started = tractor::Topic<int>;
};

void stop_once_subscribed_to(tractor::Context<Numbers>& ctx) {
  tractor::Publisher<int> numbers("numbers");
  ctx.started(numbers.topic());
  numbers.wait_for_subscribers();
  raise(SIGSTOP);
}

// Whether the topic ends by the loss of its publisher.
bool loses(tractor::Topic<int> const& topic) {
  auto const error = thrown_by([&] {
    auto subscription = topic.subscribe();
    subscription.receive();
  });
  return trio::exception_cast<tractor::TransportClosed>(error);
}

}  // namespace

TEST_CASE("X3: a subscriber loses a publisher that is stopped, in the bound that its parent has") {
  for (auto const kind : {TransportKind::ipc, TransportKind::tcp}) {
    bool lost = false;
    auto const group = group_thrown_by([&] {
      in_root({.transport = kind}, [&] {
        // Of its own, or it would be cancelled when the publisher dies.
        tractor::open_nursery([&](tractor::ActorNursery& bystanders) {
          auto const subscriber = bystanders.start_actor("subscriber", tractor::expose<loses>);
          tractor::open_nursery([&](tractor::ActorNursery& nursery) {
            auto const publisher = nursery.start_actor(
                "publisher", {.expose = tractor::expose<stop_once_subscribed_to>,
                              .unresponsive_after = 500ms * process_slowness});
            auto const start = Clock::now();
            publisher.open_context<stop_once_subscribed_to>(
                [&](auto& /*ctx*/, tractor::Topic<int> const& topic) {
                  trio::shielded([&] { lost = subscriber.run<loses>(topic); });
                  CHECK(Clock::now() - start <= bound_here(1s));
                });
          });
        });
      });
    });
    CHECK(lost);
    CHECK(group.find<tractor::ActorDied>());
  }
}
