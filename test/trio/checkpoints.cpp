// SPDX-License-Identifier: BSL-1.0
#include "../sanitized.hpp"
#include "support.hpp"

#include <csignal>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

using namespace support;
using trio::lowlevel::cancel_shielded_checkpoint;
using trio::lowlevel::checkpoint;
using trio::lowlevel::checkpoint_if_cancelled;
using trio::testing::assert_checkpoints;
using trio::testing::assert_no_checkpoints;
using trio::testing::wait_all_tasks_blocked;

namespace {

// How many schedule points and cancel points `body` passed.
template <class Body> trio::lowlevel::CheckpointCounts counted(Body const& body) {
  auto const before = trio::lowlevel::current_checkpoint_counts();
  body();
  auto const after = trio::lowlevel::current_checkpoint_counts();
  return {after.schedule_points - before.schedule_points,
          after.cancel_points - before.cancel_points};
}

// How often the run loop switched to a task while `body` ran.
template <class Body> std::uint64_t switches(Body const& body) {
  let_others_block();
  auto const before = trio::lowlevel::current_statistics().steps;
  body();
  return trio::lowlevel::current_statistics().steps - before;
}

// Whether another task that is ready gets its turn while `body` runs.
template <class Body> bool lets_others_run(Body const& body) {
  bool ran = false;
  return trio::open_nursery([&](trio::Nursery& nursery) {
    nursery.start_soon([&] { ran = true; });
    body();
    return ran;
  });
}

// Whether `body` throws Cancelled in a cancelled scope.
template <class Body> bool is_cancelled(Body const& body) {
  trio::CancelScope scope;
  scope.cancel();
  within(scope, body);
  return scope.cancelled_caught();
}

}  // namespace

TEST_CASE("checkpoint() lets others run and can be cancelled") {
  run([] {
    assert_checkpoints(checkpoint);
    CHECK(lets_others_run(checkpoint));
    CHECK(is_cancelled(checkpoint));
  });
}

TEST_CASE("checkpoint() lets others run before it throws") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      bool ran = false;
      nursery.start_soon([&] { ran = true; });
      trio::CancelScope scope;
      within(scope, [&] {
        scope.cancel();
        CHECK_THROWS_AS(checkpoint(), trio::Cancelled);
        CHECK(ran);
      });
      nursery.join();
    });
  });
}

TEST_CASE("checkpoint() sees a cancellation that comes while others run") {
  run([] {
    trio::CancelScope scope;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { scope.cancel(); });
      within(scope, [] { checkpoint(); });
    });
    CHECK(scope.cancelled_caught());
  });
}

TEST_CASE(
    "checkpoint_if_cancelled() does nothing unless cancelled, then lets others run and throws") {
  run([] {
    auto const counts = counted(checkpoint_if_cancelled);
    CHECK(counts.schedule_points == 0);
    CHECK(counts.cancel_points == 1);
    CHECK_FALSE(lets_others_run(checkpoint_if_cancelled));
    CHECK(is_cancelled(checkpoint_if_cancelled));
    trio::CancelScope scope;
    within(scope, [&] {
      scope.cancel();
      auto const when_cancelled =
          counted([] { CHECK_THROWS_AS(checkpoint_if_cancelled(), trio::Cancelled); });
      CHECK(when_cancelled.schedule_points > 0);
    });
  });
}

TEST_CASE("cancel_shielded_checkpoint() lets others run and cannot be cancelled [R:403]") {
  run([] {
    auto const counts = counted(cancel_shielded_checkpoint);
    CHECK(counts.schedule_points == 1);
    CHECK(counts.cancel_points == 0);
    CHECK(lets_others_run(cancel_shielded_checkpoint));
    CHECK_FALSE(is_cancelled(cancel_shielded_checkpoint));
  });
}

TEST_CASE("the end of a nursery lets others run and is no source of Cancelled") {
  run([] {
    auto const empty = [] { trio::open_nursery([](trio::Nursery&) {}); };
    auto const busy = [] {
      trio::open_nursery([](trio::Nursery& nursery) { nursery.start_soon([] {}); });
    };
    auto const counts = counted(empty);
    CHECK(counts.schedule_points == 1);
    CHECK(counts.cancel_points == 0);
    CHECK(counted(busy).schedule_points >= 1);
    CHECK(lets_others_run(empty));
    CHECK(lets_others_run(busy));
    CHECK_FALSE(is_cancelled(empty));
    CHECK_FALSE(is_cancelled(busy));
  });
}

TEST_CASE("what blocks is a full checkpoint even where it need not wait") {
  run([] {
    trio::Event event;
    event.set();
    assert_checkpoints([&] { event.wait(); });
    trio::Lock lock;
    assert_checkpoints([&] { lock.acquire(); });
    auto [sender, receiver] = trio::open_memory_channel<int>(1);
    assert_checkpoints([&, &to = sender] { to.send(1); });
    assert_checkpoints([&, &from = receiver] { CHECK(from.receive() == 1); });
    assert_checkpoints([] { trio::sleep(0s); });
    assert_checkpoints([] { wait_all_tasks_blocked(); });
    trio::open_nursery([](trio::Nursery& nursery) {
      assert_checkpoints([&] { nursery.join(); });
      assert_checkpoints(
          [&] { nursery.start([](trio::TaskStatus<void>& status) { status.started(); }); });
    });
  });
}

TEST_CASE("what blocks, cancelled before it begins, has no effect") {
  run([] {
    trio::Lock lock;
    auto [sender, receiver] = trio::open_memory_channel<int>(1);
    CHECK(is_cancelled([&] { lock.acquire(); }));
    CHECK_FALSE(lock.locked());
    CHECK(is_cancelled([&, &to = sender] { to.send(1); }));
    CHECK_THROWS_AS(static_cast<void>(receiver.receive_nowait()), trio::WouldBlock);
  });
}

namespace {

// A function that is a checkpoint always, and has no effect if it is cancelled before it begins.
struct Function {
  char const* name;
  std::function<void()> call;
};

std::vector<Function> const full_checkpoints = {
    {"with, whose background reports",
     [] { trio::with([](trio::TaskStatus<void>& status) { status.started(); }, [] {}); }},
    {"gather", [] { trio::gather([](trio::Lend<int> lend) { lend(1); }, [](int) {}); }},
    {"ResourceCache::maybe_open",
     [] {
       trio::ResourceCache<int, int> cache;
       cache.maybe_open(
           1, [](trio::Lend<int> lend) { lend(1); }, [](int) {});
     }},
    {"Shared::wait", [] { trio::Shared([] { return 1; }).wait(); }},
    {"Value::until_matches", [] { trio::Value<int>(1).until_equals(1); }},
    {"Semaphore::acquire", [] { trio::Semaphore(1).acquire(); }},
    {"CapacityLimiter::acquire", [] { trio::CapacityLimiter(1).acquire(); }},
    {"BroadcastReceiver::receive",
     [] {
       auto channel = trio::open_memory_channel<int>(1);
       channel.sender.send_nowait(1);
       trio::broadcast(std::move(channel.receiver), 1).receive();
     }},
    {"SignalReceiver::receive",
     [] {
       auto signals = trio::open_signal_receiver({SIGUSR1});
       raise(SIGUSR1);
       AtEnd const take{[&] {
         // What was not received would be raised again.
         if (signals.pending() > 0) trio::shielded([&] { signals.receive(); });
       }};
       signals.receive();
     }},
    {"to_thread::run", [] { trio::to_thread::run([] {}); }},
    {"resolve", [] { static_cast<void>(trio::resolve("127.0.0.1", 1)); }},
    {"open_tcp_listeners",
     [] { static_cast<void>(trio::open_tcp_listeners(0, {.host = "127.0.0.1"})); }},
    {"open_tcp_stream",
     [] {
       auto listening =
           trio::shielded([] { return trio::open_tcp_listeners(0, {.host = "127.0.0.1"}); });
       static_cast<void>(
           trio::open_tcp_stream("127.0.0.1", listening.front().local_address().port()));
     }},
    {"open_unix_socket and SocketListener::accept",
     [] {
       auto const name = std::string("@trio-checkpoints-") + std::to_string(getpid());
       auto listening = trio::shielded([&] { return trio::open_unix_listener(name); });
       auto const there = trio::open_unix_socket(name);
       static_cast<void>(listening.accept());
     }},
    {"serve_listeners without listeners", [] { trio::serve_listeners([](auto&) {}, {}); }},
};

// A function that is none.
std::vector<Function> const no_checkpoints = {
    {"finally_shielded", [] { trio::finally_shielded(1s, [] {}); }},
    {"finally_shielded with a body",
     [] {
       trio::finally_shielded(
           1s, [] {}, [] {});
     }},
    {"maybe_open_nursery with a nursery",
     [] {
       trio::maybe_open_nursery(trio::lowlevel::current_task().parent_nursery(),
                                [](trio::Nursery& nursery) { nursery.start_soon([] {}); });
     }},
    {"Value::set", [] { trio::Value<int>().set(1); }},
    {"open_pipe and open_socket_pair",
     [] {
       static_cast<void>(trio::open_pipe());
       static_cast<void>(trio::open_socket_pair());
     }},
    {"open_signal_receiver", [] { static_cast<void>(trio::open_signal_receiver({SIGUSR1})); }},
};

}  // namespace

TEST_CASE("every function is the checkpoint that its comment says") {
  for (auto const& [name, call] : full_checkpoints) {
    CAPTURE(std::string(name));
    run([&call = call] {
      CHECK_NOTHROW(assert_checkpoints(call));
      CHECK(lets_others_run(call));
      CHECK(is_cancelled(call));
    });
  }
  for (auto const& [name, call] : no_checkpoints) {
    CAPTURE(std::string(name));
    run([&call = call] {
      // In a nursery's task: some want one that is open.
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([&] {
          CHECK_NOTHROW(assert_no_checkpoints(call));
          CHECK_FALSE(is_cancelled(call));
        });
      });
    });
  }
}

TEST_CASE("a combinator is the checkpoint that its functions are, and lets others run always") {
  auto const combinators = [](auto const& fn) {
    return std::vector<std::function<void()>>{
        [&] { static_cast<void>(trio::any_of(fn)); },
        [&] { static_cast<void>(trio::all_of(fn, fn)); },
        [&] { static_cast<void>(trio::most_of(fn)); },
        [&] { static_cast<void>(trio::race(fn, fn)); },
        [&] { trio::with([] {}, fn); },
        [&] { trio::maybe_open_nursery(nullptr, [&](trio::Nursery&) { fn(); }); },
    };
  };
  run([&] {
    for (auto const& call : combinators([] {})) {
      CHECK(lets_others_run(call));
      CHECK_FALSE(is_cancelled(call));
    }
    for (auto const& call : combinators(checkpoint)) {
      CHECK(lets_others_run(call));
      CHECK(is_cancelled(call));
    }
  });
}

TEST_CASE("what opens something, cancelled before it begins, has not looked at it") {
  run([] {
    // Each would throw something else.
    CHECK(is_cancelled([] { static_cast<void>(trio::open_process({"/nowhere/at/all"})); }));
    CHECK(is_cancelled([] { trio::run_process({"/nowhere/at/all"}); }));
    CHECK(is_cancelled([] { static_cast<void>(trio::open_unix_socket("/nowhere/at/all")); }));
    CHECK(is_cancelled([] { static_cast<void>(trio::open_unix_listener("/nowhere/at/all")); }));
    CHECK(is_cancelled(
        [] { static_cast<void>(trio::open_tcp_listeners(0, {.host = "192.0.2.1"})); }));
    trio::OpenTcpStreamOptions options;
    options.resolve = [](auto const&, auto) -> std::vector<trio::SocketAddress> {
      FAIL("a name was looked up");
      return {};
    };
    CHECK(is_cancelled([&] { static_cast<void>(trio::open_tcp_stream("host", 1, options)); }));
    CHECK(is_cancelled([] {
      trio::gather([](trio::Lend<int> lend) { lend(1); }, [](int) { FAIL("it was lent"); });
    }));
    CHECK(is_cancelled([] {
      trio::with([](trio::TaskStatus<void>& status) { status.started(); },
                 [] { FAIL("it was started"); });
    }));
  });
}

TEST_CASE(
    "to start a program and to wait for it are checkpoints; its termination is cut short by "
    "nothing" *
    doctest::skip(under_valgrind())) {
  trio::run([] {
    std::vector<std::function<void()>> const starting = {
        [] { trio::open_process({"true"}).wait(); },
        [] { trio::run_process({"true"}); },
    };
    for (auto const& call : starting) {
      assert_checkpoints(call);
      CHECK(lets_others_run(call));
      CHECK(is_cancelled(call));
    }
    auto process = trio::open_process({"sleep", "1000"});
    CHECK_FALSE(is_cancelled([&] {
      CHECK(process.terminate() == trio::ExitStatus{SIGTERM, true});
    }));
    assert_checkpoints([&] { process.terminate(); });
    assert_checkpoints([&] { process.wait(); });
    CHECK(is_cancelled([&] { process.wait(); }));
    assert_no_checkpoints([&] {
      CHECK(process.status().has_value());
      process.signal(SIGTERM);
      process.signal_group(SIGTERM);
    });
  });
}

TEST_CASE("what does not block is no checkpoint [te:139]") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      assert_no_checkpoints([&] {
        trio::Event event;
        event.set();
        auto [sender, receiver] = trio::open_memory_channel<int>(1);
        sender.send_nowait(1);
        CHECK(receiver.receive_nowait() == 1);
        sender.close();
        receiver.close();
        trio::Lock lock;
        lock.acquire_nowait();
        lock.release();
        nursery.start_soon([] {});
        trio::CancelScope scope;
        within(scope, [&] {
          scope.cancel();
          scope.set_deadline(trio::never);
          scope.set_shield(true);
        });
        static_cast<void>(trio::current_time());
        static_cast<void>(trio::current_effective_deadline());
        trio::catching([] { throw KeyError(); }, [](KeyError const&) {});
      });
    });
  });
}

TEST_CASE("entering and leaving a scope is no checkpoint") {
  run([] {
    assert_no_checkpoints([] { CHECK_FALSE(trio::move_on_after(0s, [] {}).cut_short); });
    assert_no_checkpoints([] { trio::fail_after(1s, [] {}); });
    assert_no_checkpoints([] { trio::shielded([] {}); });
  });
}

TEST_CASE("assert_checkpoints wants a schedule point and a cancel point [te:113]") {
  run([] {
    CHECK_THROWS_AS(assert_checkpoints([] {}), std::logic_error);
    CHECK_THROWS_AS(assert_checkpoints(checkpoint_if_cancelled), std::logic_error);
    CHECK_THROWS_AS(assert_checkpoints(cancel_shielded_checkpoint), std::logic_error);
    // One of each makes a full one.
    assert_checkpoints([] {
      checkpoint_if_cancelled();
      cancel_shielded_checkpoint();
    });
    assert_checkpoints(checkpoint);
  });
}

TEST_CASE("assert_no_checkpoints wants neither [te:113]") {
  run([] {
    CHECK_THROWS_AS(assert_no_checkpoints(checkpoint), std::logic_error);
    CHECK_THROWS_AS(assert_no_checkpoints(checkpoint_if_cancelled), std::logic_error);
    CHECK_THROWS_AS(assert_no_checkpoints(cancel_shielded_checkpoint), std::logic_error);
    assert_no_checkpoints([] {});
  });
}

TEST_CASE("both asserts let an error of the block pass as it is") {
  run([] {
    CHECK_THROWS_AS(assert_checkpoints([] { throw KeyError(); }), KeyError);
    CHECK_THROWS_AS(assert_no_checkpoints([] { throw KeyError(); }), KeyError);
  });
}

TEST_CASE("the counts of a task are its own") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      nursery.start_soon([] {
        CHECK(trio::lowlevel::current_checkpoint_counts().schedule_points == 0);
        for (int i = 0; i < 10; ++i) checkpoint();
        CHECK(trio::lowlevel::current_checkpoint_counts().schedule_points == 10);
      });
      wait_all_tasks_blocked();
      assert_no_checkpoints([] {});
    });
  });
}

TEST_CASE("a checkpoint switches when another task is ready") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      CHECK(switches([&] {
              nursery.start_soon([] {});
              checkpoint();
            }) == 2);
      CHECK(switches(checkpoint) == 0);
    });
  });
}

TEST_CASE("a checkpoint switches when a deadline is due") {
  run([](trio::testing::MockClock& clock) {
    trio::CancelScope scope(trio::after(trio::current_time(), 1s));
    within(scope, [&] {
      CHECK(switches(checkpoint) == 0);
      CHECK(switches([&] {
              clock.jump(1s);
              CHECK_THROWS_AS(checkpoint(), trio::Cancelled);
            }) > 0);
    });
  });
}

TEST_CASE("a checkpoint always switches in a run that polls every pass") {
  trio::RunOptions options;
  options.poll_every_pass = true;
  trio::run(options, [] {
    CHECK(switches([] {
            for (int i = 0; i < 10; ++i) checkpoint();
          }) == 10);
  });
}
