// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using support::run;
using trio::broadcast;
using trio::open_memory_channel;
using trio::lowlevel::checkpoint;
using trio::testing::assert_checkpoints;
using trio::testing::assert_no_checkpoints;
using trio::testing::wait_all_tasks_blocked;

namespace {

using Ints = std::vector<int>;

Ints up_to(int end) {
  Ints numbers(static_cast<std::size_t>(end));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

// A sender that keeps nothing, and three who receive what it sends.
template <class T> auto to_three() {
  auto [sender, source] = open_memory_channel<T>(0);
  auto first = broadcast(std::move(source), 3);
  auto second = first.subscribe();
  auto third = first.subscribe();
  return std::tuple(std::move(sender), std::move(first), std::move(second), std::move(third));
}

}  // namespace

TEST_CASE("every receiver of a broadcast gets every value, and the end") {
  run([] {
    auto [sender, source] = open_memory_channel<int>(0);
    auto first = broadcast(std::move(source), 10);
    auto second = first.subscribe();
    auto third = second.subscribe();
    Ints received[3];
    trio::open_nursery([&, &to = sender](trio::Nursery& nursery) {
      int i = 0;
      for (auto* receiver : {&first, &second, &third})
        nursery.start_soon([receiver, &into = received[i++]] {
          for (int value : *receiver) into.push_back(value);
        });
      for (int number : up_to(100)) to.send(number);
      to.close();
    });
    for (auto const& got : received) CHECK(got == up_to(100));
    for (auto* receiver : {&first, &second}) {
      CHECK_THROWS_AS(receiver->receive(), trio::EndOfChannel);
      CHECK_THROWS_AS(receiver->receive_nowait(), trio::EndOfChannel);
      CHECK(!receiver->next());
    }
  });
}

TEST_CASE("who subscribes gets what comes from then on") {
  run([] {
    auto [sender, source] = open_memory_channel<int>(trio::unbounded);
    auto early = broadcast(std::move(source), 10);
    for (int number : up_to(4)) sender.send_nowait(number);
    CHECK(early.receive() == 0);
    CHECK(early.receive() == 1);
    auto late = early.subscribe();
    CHECK(late.receive() == 2);
    CHECK(early.receive() == 2);
    CHECK(early.receive_nowait() == 3);
    CHECK(late.receive_nowait() == 3);
    CHECK_THROWS_AS(late.receive_nowait(), trio::WouldBlock);
  });
}

TEST_CASE("the fastest sets the pace; who falls behind is told once, and goes on with the oldest") {
  run([] {
    auto [sender, source] = open_memory_channel<int>(0);
    auto fast = broadcast(std::move(source), 3);
    auto slow = fast.subscribe();
    auto careless = fast.subscribe(trio::OnLag::skip);
    trio::open_nursery([&, &to = sender](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        for (int number : up_to(10)) CHECK(fast.receive() == number);
      });
      for (int number : up_to(10)) to.send(number);
    });
    CHECK(fast.statistics().lag == 0);
    CHECK(slow.statistics().lag == 10);
    CHECK(slow.statistics().current_buffer_used == 3);
    try {
      slow.receive();
      FAIL("it has missed something");
    } catch (trio::Lagged const& lagged) {
      CHECK(lagged.missed == 7);
    }
    for (int number : {7, 8, 9}) CHECK(slow.receive() == number);
    CHECK(careless.receive() == 7);
    CHECK_THROWS_AS(slow.receive_nowait(), trio::WouldBlock);
  });
}

TEST_CASE("a receiver exactly as far behind as there is room has missed nothing") {
  run([] {
    auto [sender, source] = open_memory_channel<int>(trio::unbounded);
    auto fast = broadcast(std::move(source), 3);
    auto slow = fast.subscribe();
    for (int number : up_to(3)) {
      sender.send_nowait(number);
      fast.receive_nowait();
    }
    for (int number : up_to(3)) CHECK(slow.receive_nowait() == number);
  });
}

TEST_CASE("when who waits at the source is cancelled, the next takes its place") {
  run([] {
    auto [sender, first, second, third] = to_three<int>();
    trio::CancelScope scope;
    int received = 0;
    trio::open_nursery([&, &to = sender](trio::Nursery& nursery) {
      nursery.start_soon([&] { support::within(scope, [&] { first.receive(); }); });
      for (auto* receiver : {&second, &third}) {
        wait_all_tasks_blocked();
        nursery.start_soon([&, receiver] { received += receiver->receive(); });
      }
      wait_all_tasks_blocked();
      CHECK(first.statistics().tasks_waiting == 3);
      scope.cancel();
      wait_all_tasks_blocked();
      CHECK(first.statistics().tasks_waiting == 2);
      to.send(7);
    });
    CHECK(scope.cancelled_caught());
    CHECK(received == 14);
    CHECK(first.receive() == 7);
  });
}

TEST_CASE("a value that was handed over reaches everybody, whatever becomes of who waited for it") {
  for (bool closed : {false, true}) {
    CAPTURE(closed);
    run([&] {
      auto [sender, first, second, third] = to_three<int>();
      trio::CancelScope scope;
      int received = 0;
      trio::open_nursery([&, &to = sender](trio::Nursery& nursery) {
        nursery.start_soon([&] {
          support::within(scope, [&] {
            // It was in time, as at a memory channel.
            received += first.receive();
            checkpoint();
          });
        });
        for (auto* receiver : {&second, &third}) {
          wait_all_tasks_blocked();
          nursery.start_soon([&, receiver] { received += receiver->receive(); });
        }
        wait_all_tasks_blocked();
        to.send_nowait(7);
        if (closed)
          first.close();
        else
          scope.cancel();
      });
      CHECK(received == 21);
      CHECK(scope.cancelled_caught() == !closed);
      if (closed) CHECK_THROWS_AS(first.receive(), trio::ClosedResourceError);
    });
  }
}

TEST_CASE("who falls behind again is told again, of what it has missed since") {
  run([] {
    auto [sender, source] = open_memory_channel<int>(trio::unbounded);
    auto fast = broadcast(std::move(source), 2);
    auto slow = fast.subscribe();
    auto const hurry = [&, &to = sender](int count) {
      for (int i = 0; i < count; ++i) {
        to.send_nowait(i);
        fast.receive_nowait();
      }
    };
    auto const missed = [&]() -> std::uint64_t {
      try {
        slow.receive_nowait();
      } catch (trio::Lagged const& lagged) {
        return lagged.missed;
      }
      return 0;
    };
    hurry(5);
    CHECK(missed() == 3);
    hurry(4);
    CHECK(slow.statistics().lag == 6);
    CHECK(missed() == 4);
    CHECK(slow.receive_nowait() == 2);
    hurry(2);
    CHECK(missed() == 1);
    // Who subscribes through one that is behind is not.
    auto late = slow.subscribe();
    CHECK(late.statistics().lag == 0);
    auto const now = slow.statistics();
    CHECK(now.lag == 2);
    CHECK(now.open_receivers == 3);
    CHECK(now.current_buffer_used == 2);
    CHECK(now.max_buffer_size == 2);
    CHECK(now.tasks_waiting == 0);
    CHECK(slow.receive_nowait() == 0);
    CHECK(slow.receive_nowait() == 1);
  });
}

namespace {

// Its next copy throws, if it is told so.
struct Touchy {
  explicit Touchy(int number) : value(number) {}

  Touchy(Touchy&&) = default;
  Touchy& operator=(Touchy&&) = default;
  ~Touchy() = default;

  Touchy(Touchy const& other) : value(other.value) {
    if (std::exchange(fails, false)) throw support::KeyError();
  }

  int value;
  static inline bool fails = false;
};

}  // namespace

TEST_CASE("a value whose copy throws, throws for one receiver, which may ask again") {
  run([] {
    auto [sender, first, second, third] = to_three<Touchy>();
    int received = 0;
    trio::open_nursery([&, &to = sender](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        CHECK_THROWS_AS(first.receive(), support::KeyError);
        received += first.receive().value;
      });
      for (auto* receiver : {&second, &third}) {
        wait_all_tasks_blocked();
        nursery.start_soon([&, receiver] { received += receiver->receive().value; });
      }
      wait_all_tasks_blocked();
      Touchy::fails = true;
      to.send_nowait(Touchy(7));
    });
    CHECK(received == 21);
  });
}

TEST_CASE("when who is to take the place is cancelled at once, the one after it does") {
  run([] {
    auto [sender, first, second, third] = to_three<int>();
    trio::CancelScope both;
    int received = 0;
    trio::open_nursery([&, &to = sender](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        support::within(both, [&] {
          trio::open_nursery([&](trio::Nursery& cancelled) {
            cancelled.start_soon([&] { first.receive(); });
            wait_all_tasks_blocked();
            cancelled.start_soon([&] { second.receive(); });
          });
        });
      });
      trio::sleep(1s);
      nursery.start_soon([&] { received = third.receive(); });
      trio::sleep(1s);
      both.cancel();
      trio::sleep(1s);
      to.send_nowait(7);
    });
    CHECK(received == 7);
  });
}

TEST_CASE("a task rescheduled by hand keeps no broadcast from serving others or being closed") {
  for (bool closed : {false, true}) {
    CAPTURE(closed);
    run([&] {
      auto [sender, first, second, third] = to_three<int>();
      int received = 0;
      trio::open_nursery([&, &to = sender](trio::Nursery& nursery) {
        trio::Task* by_hand = nullptr;
        nursery.start_soon([&] { received += first.receive(); });
        wait_all_tasks_blocked();
        nursery.start_soon([&] {
          by_hand = &trio::lowlevel::current_task();
          CHECK_THROWS_AS(second.receive(), trio::MisuseError);
        });
        nursery.start_soon([&] { received += third.receive(); });
        wait_all_tasks_blocked();
        to.send_nowait(7);
        // It is still among those who wait when the first has received for all.
        trio::lowlevel::reschedule(*by_hand);
        if (closed) second.close();
        wait_all_tasks_blocked();
      });
      CHECK(received == 14);
    });
  }
}

TEST_CASE("closing a receiver wakes who waits in it, and no other") {
  run([] {
    auto [sender, source] = open_memory_channel<int>(0);
    auto first = std::make_optional(broadcast(std::move(source), 3));
    auto second = first->subscribe();
    auto third = first->subscribe();
    int received = 0;
    trio::open_nursery([&, &to = sender](trio::Nursery& nursery) {
      for (auto* receiver : {&*first, &second})
        nursery.start_soon(
            [receiver] { CHECK_THROWS_AS(receiver->receive(), trio::ClosedResourceError); });
      wait_all_tasks_blocked();
      nursery.start_soon([&] { received = third.receive(); });
      wait_all_tasks_blocked();
      // One that waits at the source, which is destroyed at that, and one that waits for it.
      assert_no_checkpoints([&] { first.reset(); });
      second.close();
      second.close();
      wait_all_tasks_blocked();
      to.send(7);
    });
    CHECK(received == 7);
    CHECK_THROWS_AS(second.receive(), trio::ClosedResourceError);
    CHECK_THROWS_AS(second.receive_nowait(), trio::ClosedResourceError);
    CHECK_THROWS_AS(second.subscribe(), trio::ClosedResourceError);
    CHECK(second.statistics().open_receivers == 1);
    auto moved = std::move(third);
    CHECK_THROWS_AS(third.next(), trio::ClosedResourceError);
    CHECK(third.statistics().open_receivers == 0);
    sender.close();
    CHECK(!moved.next());
  });
}

TEST_CASE("the last receiver closes the source, a waiting one too") {
  run([] {
    auto [sender, source] = open_memory_channel<int>(0);
    auto first = broadcast(std::move(source), 3);
    auto second = first.subscribe();
    first.close();
    CHECK_THROWS_AS(sender.send_nowait(1), trio::WouldBlock);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { CHECK_THROWS_AS(second.receive(), trio::ClosedResourceError); });
      wait_all_tasks_blocked();
      second.close();
    });
    CHECK_THROWS_AS(sender.send_nowait(1), trio::BrokenResourceError);
  });
}

TEST_CASE("a receiver is for one task at a time") {
  run([] {
    auto [sender, source] = open_memory_channel<int>(0);
    auto receiver = broadcast(std::move(source), 3);
    trio::open_nursery([&, &to = sender](trio::Nursery& nursery) {
      nursery.start_soon([&] { CHECK(receiver.receive() == 7); });
      wait_all_tasks_blocked();
      CHECK_THROWS_AS(receiver.receive(), trio::BusyResourceError);
      CHECK_THROWS_AS(receiver.receive_nowait(), trio::WouldBlock);
      to.send(7);
    });
  });
}

TEST_CASE("what the source throws is for who waits there; the others try for themselves") {
  struct Source {
    int calls = 0;

    std::optional<int> next() {
      trio::sleep(1s);
      if (++calls == 1) throw support::KeyError();
      return calls;
    }
  };

  run([] {
    auto first = broadcast(Source(), 3);
    auto second = first.subscribe();
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { CHECK_THROWS_AS(first.receive(), support::KeyError); });
      wait_all_tasks_blocked();
      CHECK(second.receive() == 2);
    });
    CHECK(first.receive() == 2);
  });
}

TEST_CASE("receiving is a checkpoint always, cancelled it has received nothing") {
  run([] {
    auto [sender, source] = open_memory_channel<int>(trio::unbounded);
    auto first = broadcast(std::move(source), 3);
    auto second = first.subscribe();
    for (int number : up_to(3)) sender.send_nowait(number);
    assert_checkpoints([&] { first.receive(); });
    assert_checkpoints([&] { second.receive(); });
    assert_no_checkpoints([&] { second.receive_nowait(); });
    for (auto* receiver : {&first, &second}) {
      trio::CancelScope scope;
      support::within(scope, [&] {
        scope.cancel();
        receiver->receive();
        FAIL("a Cancelled was due");
      });
      CHECK(scope.cancelled_caught());
    }
    CHECK(first.receive() == 1);
    CHECK(second.receive() == 2);
    sender.close();
    CHECK(first.receive() == 2);
    assert_checkpoints([&] { CHECK(!first.next()); });
    assert_checkpoints([&] { CHECK(!second.next()); });
  });
}

TEST_CASE("a broadcast needs room for a value") {
  auto [sender, source] = open_memory_channel<int>(0);
  CHECK_THROWS_AS(broadcast(std::move(source), 0), std::invalid_argument);
}
