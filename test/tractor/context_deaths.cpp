// SPDX-License-Identifier: BSL-1.0
// What those who wait in a context are told when the other end dies, stops, or is cut off. F and a
// number stand for the project's table of faults.
#include "support.hpp"

#include <tractor/testing.hpp>
#include <trio/errors.hpp>
#include <trio/testing.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <signal.h>
#include <unistd.h>

using namespace std::chrono_literals;
using support::bound_here;
using support::group_thrown_by;
using support::in_root;
using support::process_slowness;
using support::thrown_by;

namespace {

using Clock = std::chrono::steady_clock;

struct Numbers {
  using ToCallee = int;
  using ToCaller = int;
};

int wait_for_ever(tractor::Context<Numbers>& ctx) {
  auto stream = ctx.open_stream();
  stream.send(getpid());
  trio::sleep_forever();
}

using Stream = tractor::Stream<int, int>;
using Caller = tractor::CallerContext<Numbers, int>;

// Each way of waiting for the other end.
std::vector<std::function<void(Caller&, Stream&)>> const waits = {
    [](Caller&, Stream&) { trio::sleep_forever(); },
    [](Caller&, Stream& stream) { stream.receive(); },
    [](Caller&, Stream& stream) {
      for (;;) stream.send(1);
    },
    [](Caller& ctx, Stream&) { ctx.result(); },
};

// In each of these ways waits a task, until `harm` was done. Returns what each was told.
std::vector<std::exception_ptr> told_when(tractor::Portal& portal, std::function<void()> harm) {
  std::vector<std::exception_ptr> told;
  std::size_t waiting = 0;
  Clock::time_point start;
  trio::shielded([&] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (auto const& wait : waits)
        nursery.start_soon([&, wait] {
          told.push_back(thrown_by([&] {
            portal.open_context<wait_for_ever>([&](auto& ctx) {
              auto stream = ctx.open_stream();
              stream.receive();
              ++waiting;
              wait(ctx, stream);
            });
          }));
          CHECK(Clock::now() - start < bound_here(1s));
        });
      while (waiting < waits.size()) trio::lowlevel::checkpoint();
      for (int i = 0; i < 100; ++i) trio::lowlevel::checkpoint();
      start = Clock::now();
      harm();
    });
  });
  CHECK(portal.open_calls() == 0);
  return told;
}

}  // namespace

TEST_CASE("S1: whoever waits in a context of an actor that is killed gets ActorDied, in a second") {
  group_thrown_by([] {
    in_root([] {
      tractor::open_nursery([](tractor::ActorNursery& nursery) {
        auto portal = nursery.start_actor("victim", tractor::expose<wait_for_ever>);
        auto const told = told_when(portal, [&] { kill(portal.actor().pid, SIGKILL); });
        CHECK(told.size() == waits.size());
        for (auto const& error : told) {
          CAPTURE(trio::describe(error));
          CHECK(trio::exception_cast<tractor::ActorDied>(error));
        }
      });
    });
  });
}

TEST_CASE("F12: whoever waits in a context over a link that is cut gets TransportClosed at once") {
  group_thrown_by([] {
    in_root([] {
      tractor::open_nursery([](tractor::ActorNursery& nursery) {
        auto portal = nursery.start_actor("victim", tractor::expose<wait_for_ever>);
        auto const told = told_when(portal, [&] { tractor::testing::break_link(portal); });
        for (auto const& error : told) {
          CAPTURE(trio::describe(error));
          CHECK(trio::exception_cast<tractor::TransportClosed>(error));
        }
      });
    });
  });
}

TEST_CASE("a stopped actor is found by its silence, within the bound that was set") {
  group_thrown_by([] {
    in_root([] {
      tractor::open_nursery([](tractor::ActorNursery& nursery) {
        auto portal =
            nursery.start_actor("victim", {.expose = tractor::expose<wait_for_ever>,
                                           .unresponsive_after = 200ms * process_slowness});
        auto const told = told_when(portal, [&] { kill(portal.actor().pid, SIGSTOP); });
        for (auto const& error : told) {
          CAPTURE(trio::describe(error));
          CHECK(trio::exception_cast<tractor::ActorDied>(error));
        }
      });
    });
  });
}

namespace {

void break_off(tractor::Context<Numbers>& ctx) {
  auto stream = ctx.open_stream();
  for (int i = 0; i < 10; ++i) stream.send(i);
  stream.receive();
  tractor::testing::break_link(ctx);
  trio::sleep_forever();
}

void die_in_the_middle(tractor::Context<Numbers>& ctx) {
  auto stream = ctx.open_stream();
  for (int i = 0; i < 10; ++i) stream.send(i);
  stream.receive();
  raise(SIGKILL);
}

// Reads all there is, and then some.
template <auto F> std::exception_ptr read_until_it_breaks() {
  std::exception_ptr error;
  int count = 0;
  group_thrown_by([&] {
    in_root([&] {
      tractor::open_nursery([&](tractor::ActorNursery& nursery) {
        auto portal = nursery.start_actor("victim", tractor::expose<F>);
        error = trio::shielded([&] {
          return thrown_by([&] {
            portal.template open_context<F>([&](auto& ctx) {
              auto stream = ctx.open_stream();
              while (stream.next())
                if (++count == 10) stream.send(1);
            });
          });
        });
      });
    });
  });
  CHECK(count == 10);
  return error;
}

}  // namespace

TEST_CASE("a stream whose other end cuts the link, or dies, breaks and does not end") {
  auto const broken = read_until_it_breaks<break_off>();
  CAPTURE(trio::describe(broken));
  bool const closed = trio::exception_cast<tractor::TransportClosed>(broken) ||
                      trio::exception_cast<tractor::ActorDied>(broken);
  CHECK(closed);
  CHECK(trio::exception_cast<tractor::ActorDied>(read_until_it_breaks<die_in_the_middle>()));
}

namespace {

// The root's, whose callers die.
std::vector<std::string> ends;

void serve_the_doomed(tractor::Context<Numbers>& ctx) {
  try {
    auto stream = ctx.open_stream();
    stream.send(1);
    stream.receive();
  } catch (tractor::ActorDied const& died) {
    ends.push_back("died of " + std::to_string(died.signal()));
    throw;
  }
}

void ask_and_die() {
  tractor::current_actor().parent().open_context<serve_the_doomed>([](auto& ctx) {
    auto stream = ctx.open_stream();
    stream.receive();
    raise(SIGKILL);
  });
}

}  // namespace

TEST_CASE("S2: the task of a caller that is killed is told, and cancelled") {
  ends.clear();
  group_thrown_by([] {
    in_root({.expose = tractor::expose<serve_the_doomed>}, [] {
      tractor::open_nursery(
          [](tractor::ActorNursery& nursery) { nursery.run_in_actor<ask_and_die>().result(); });
    });
  });
  CHECK(ends == std::vector<std::string>{"died of 9"});
}

namespace {

struct Huge : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void fail_hugely(tractor::Context<Numbers>&, std::size_t size) {
  throw Huge(std::string(size, 'x'));
}

}  // namespace

TEST_CASE("F15: an error of 8 MB arrives whole, though its actor ends at once") {
  constexpr std::size_t size = 8'000'000;
  for (int i = 0; i < 10; ++i) {
    in_root([&] {
      tractor::open_nursery([&](tractor::ActorNursery& nursery) {
        auto portal = nursery.start_actor("loud", tractor::expose<fail_hugely>);
        auto const error = thrown_by([&] {
          portal.open_context<fail_hugely>(size, [&](auto&) {
            portal.cancel_actor();
            trio::sleep_forever();
          });
        });
        auto const* remote = trio::exception_cast<tractor::RemoteActorError>(error);
        REQUIRE(remote);
        CHECK(remote->message().size() == size);
        portal.cancel_actor();
      });
    });
  }
}
