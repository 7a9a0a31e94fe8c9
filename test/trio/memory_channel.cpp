// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <algorithm>
#include <iterator>
#include <memory>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using support::run;
using trio::open_memory_channel;
using trio::lowlevel::checkpoint;
using trio::testing::assert_checkpoints;
using trio::testing::assert_no_checkpoints;
using trio::testing::wait_all_tasks_blocked;

namespace {

using Ints = std::vector<int>;

template <class Channel> Ints all_of(Channel& receiver) {
  Ints received;
  for (int value : receiver) received.push_back(value);
  return received;
}

}  // namespace

TEST_CASE("a channel buffers up to its capacity, first in first out [ch:20]") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(2);
    CHECK_THROWS_AS(receiver.receive_nowait(), trio::WouldBlock);
    sender.send_nowait(1);
    sender.send_nowait(2);
    CHECK_THROWS_AS(sender.send_nowait(3), trio::WouldBlock);
    CHECK(receiver.receive_nowait() == 1);
    sender.send_nowait(3);
    CHECK(receiver.receive_nowait() == 2);
    CHECK(receiver.receive_nowait() == 3);
    CHECK_THROWS_AS(receiver.receive_nowait(), trio::WouldBlock);
  });
}

TEST_CASE("what is buffered outlives its sender, then the channel ends [ch:20]") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(3);
    sender.send_nowait(1);
    sender.send_nowait(2);
    sender.close();
    CHECK(receiver.receive() == 1);
    CHECK(receiver.receive_nowait() == 2);
    for (int i = 0; i < 2; ++i) {
      CHECK_THROWS_AS(receiver.receive(), trio::EndOfChannel);
      CHECK_THROWS_AS(receiver.receive_nowait(), trio::EndOfChannel);
      CHECK(!receiver.next());
    }
  });
}

TEST_CASE("send and receive wait for each other") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(1);
    Ints received;
    trio::open_nursery([&, &from = receiver, &to = sender](trio::Nursery& nursery) {
      nursery.start_soon([&] { received = all_of(from); });
      for (int i = 0; i < 100; ++i) to.send(i);
      to.close();
    });
    Ints expected(100);
    std::iota(expected.begin(), expected.end(), 0);
    CHECK(received == expected);
  });
}

TEST_CASE("several senders and receivers share a channel and every value arrives once [ch:60]") {
  run([] {
    Ints received;
    trio::open_nursery([&](trio::Nursery& nursery) {
      auto [sender, receiver] = open_memory_channel<int>(3);
      for (int base : {0, 100})
        nursery.start_soon(
            [base](trio::MemorySendChannel<int> const& to) {
              for (int i = 0; i < 50; ++i)
                const_cast<trio::MemorySendChannel<int>&>(to).send(base + i);
            },
            sender.clone());
      for (int i = 0; i < 3; ++i)
        nursery.start_soon(
            [&](trio::MemoryReceiveChannel<int> const& from) {
              for (int value : const_cast<trio::MemoryReceiveChannel<int>&>(from))
                received.push_back(value);
            },
            receiver.clone());
    });
    std::sort(received.begin(), received.end());
    Ints expected(50);
    std::iota(expected.begin(), expected.end(), 0);
    for (int i = 0; i < 50; ++i) expected.push_back(100 + i);
    CHECK(received == expected);
  });
}

TEST_CASE("a closed end refuses, in every way and for good [ch:115, ch:173]") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(1);
    sender.close();
    for (int i = 0; i < 2; ++i) {
      CHECK_THROWS_AS(sender.send(1), trio::ClosedResourceError);
      CHECK_THROWS_AS(sender.send_nowait(1), trio::ClosedResourceError);
      CHECK_THROWS_AS(sender.clone(), trio::ClosedResourceError);
      CHECK(sender.statistics().open_send_channels == 0);
      CHECK(sender.statistics().open_receive_channels == 1);
      sender.close();
    }
    receiver.close();
    for (int i = 0; i < 2; ++i) {
      CHECK_THROWS_AS(receiver.receive(), trio::ClosedResourceError);
      CHECK_THROWS_AS(receiver.next(), trio::ClosedResourceError);
      CHECK_THROWS_AS(receiver.receive_nowait(), trio::ClosedResourceError);
      CHECK_THROWS_AS(receiver.clone(), trio::ClosedResourceError);
      CHECK(receiver.statistics().open_receive_channels == 0);
      CHECK(receiver.statistics().max_buffer_size == 1);
      receiver.close();
    }
  });
}

TEST_CASE("closing a send channel wakes who waits in it with ClosedResourceError [ch:115]") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(0);
    trio::open_nursery([&, &to = sender](trio::Nursery& nursery) {
      for (int i = 0; i < 2; ++i)
        nursery.start_soon([&] { CHECK_THROWS_AS(to.send(1), trio::ClosedResourceError); });
      wait_all_tasks_blocked();
      to.close();
    });
    CHECK_THROWS_AS(receiver.receive(), trio::EndOfChannel);
  });
}

TEST_CASE("closing a receive channel wakes who waits in it with ClosedResourceError [ch:115]") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(0);
    trio::open_nursery([&, &from = receiver](trio::Nursery& nursery) {
      for (int i = 0; i < 2; ++i)
        nursery.start_soon([&] { CHECK_THROWS_AS(from.receive(), trio::ClosedResourceError); });
      wait_all_tasks_blocked();
      from.close();
    });
    CHECK_THROWS_AS(sender.send(1), trio::BrokenResourceError);
  });
}

TEST_CASE("closing the last receiver breaks the senders, waiting or not [ch:115]") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(0);
    trio::open_nursery([&, &to = sender, &from = receiver](trio::Nursery& nursery) {
      for (int i = 0; i < 2; ++i)
        nursery.start_soon([&] { CHECK_THROWS_AS(to.send(1), trio::BrokenResourceError); });
      wait_all_tasks_blocked();
      auto second = from.clone();
      from.close();
      wait_all_tasks_blocked();
      CHECK(to.statistics().tasks_waiting_send == 2);
      second.close();
    });
    for (int i = 0; i < 2; ++i) {
      CHECK_THROWS_AS(sender.send(1), trio::BrokenResourceError);
      CHECK_THROWS_AS(sender.send_nowait(1), trio::BrokenResourceError);
    }
    // Broken, but not closed.
    auto another = sender.clone();
    CHECK_THROWS_AS(another.send_nowait(1), trio::BrokenResourceError);
  });
}

TEST_CASE("closing the last sender ends the channel for who waits to receive [ch:115]") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(5);
    trio::open_nursery([&, &to = sender, &from = receiver](trio::Nursery& nursery) {
      int ended = 0;
      nursery.start_soon([&] { CHECK_THROWS_AS(from.receive(), trio::EndOfChannel); });
      nursery.start_soon([&] {
        CHECK(!from.next());
        ++ended;
      });
      wait_all_tasks_blocked();
      auto second = to.clone();
      to.close();
      wait_all_tasks_blocked();
      CHECK(ended == 0);
      second.close();
      nursery.join();
      CHECK(ended == 1);
    });
  });
}

TEST_CASE("closing one clone wakes its own waiters and no others [ch:258, ch:279]") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(0);
    SUBCASE("of the senders") {
      auto second = sender.clone();
      trio::open_nursery([&, &to = sender, &from = receiver](trio::Nursery& nursery) {
        nursery.start_soon([&] { CHECK_THROWS_AS(to.send(1), trio::ClosedResourceError); });
        nursery.start_soon([&] { second.send(2); });
        wait_all_tasks_blocked();
        to.close();
        wait_all_tasks_blocked();
        CHECK(from.statistics().tasks_waiting_send == 1);
        CHECK(from.receive() == 2);
      });
    }
    SUBCASE("of the receivers") {
      auto second = receiver.clone();
      trio::open_nursery([&, &to = sender, &from = receiver](trio::Nursery& nursery) {
        nursery.start_soon([&] { CHECK_THROWS_AS(from.receive(), trio::ClosedResourceError); });
        nursery.start_soon([&] { CHECK(second.receive() == 2); });
        wait_all_tasks_blocked();
        from.close();
        wait_all_tasks_blocked();
        CHECK(to.statistics().tasks_waiting_receive == 1);
        to.send(2);
      });
    }
  });
}

TEST_CASE("closing the last receiver drops what is buffered, at once [ch:231]") {
  run([] {
    auto [sender, receiver] = open_memory_channel<std::shared_ptr<int>>(5);
    auto const value = std::make_shared<int>(1);
    for (int i = 0; i < 3; ++i) sender.send_nowait(value);
    auto second = receiver.clone();
    receiver.close();
    CHECK(value.use_count() == 4);
    second.close();
    CHECK(value.use_count() == 1);
    CHECK(sender.statistics().current_buffer_used == 0);
  });
}

TEST_CASE("what was buffered for others is not lost when one receiver closes [ch:231]") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(5);
    auto second = receiver.clone();
    sender.send_nowait(1);
    receiver.close();
    sender.close();
    CHECK(all_of(second) == Ints{1});
  });
}

TEST_CASE("an unbounded channel never lets send wait [ch:300]") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(trio::unbounded);
    for (int i = 0; i < 10'000; ++i) sender.send_nowait(i);
    CHECK(sender.statistics().current_buffer_used == 10'000);
    CHECK(sender.statistics().max_buffer_size == trio::unbounded);
    sender.close();
    CHECK(all_of(receiver).size() == 10'000);
  });
}

TEST_CASE("statistics tell the most that was ever buffered") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(3);
    CHECK(sender.statistics().peak_buffer_used == 0);
    sender.send_nowait(1);
    sender.send_nowait(2);
    for (int i = 0; i < 2; ++i) receiver.receive_nowait();
    sender.send_nowait(3);
    CHECK(sender.statistics().current_buffer_used == 1);
    CHECK(sender.statistics().peak_buffer_used == 2);
    CHECK(receiver.statistics().peak_buffer_used == 2);

    // What goes from hand to hand was never buffered.
    auto [to, from] = open_memory_channel<int>(0);
    trio::open_nursery([&, &to = to, &from = from](trio::Nursery& nursery) {
      nursery.start_soon([&] { to.send(1); });
      wait_all_tasks_blocked();
      from.receive();
      nursery.start_soon([&] { from.receive(); });
      wait_all_tasks_blocked();
      to.send(2);
    });
    CHECK(to.statistics().peak_buffer_used == 0);

    auto const elsewhere = std::move(sender);
    CHECK(elsewhere.statistics().peak_buffer_used == 2);
    CHECK(sender.statistics().peak_buffer_used == 0);
  });
}

TEST_CASE("statistics tell what is buffered, open and waiting [ch:312]") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(2);
    auto const check = [&, &to = sender, &from = receiver](trio::MemoryChannelStatistics wanted) {
      for (auto const& got : {to.statistics(), from.statistics()}) {
        CHECK(got.current_buffer_used == wanted.current_buffer_used);
        CHECK(got.max_buffer_size == wanted.max_buffer_size);
        CHECK(got.open_send_channels == wanted.open_send_channels);
        CHECK(got.open_receive_channels == wanted.open_receive_channels);
        CHECK(got.tasks_waiting_send == wanted.tasks_waiting_send);
        CHECK(got.tasks_waiting_receive == wanted.tasks_waiting_receive);
      }
    };
    check({0, 2, 1, 1, 0, 0});
    sender.send_nowait(1);
    check({1, 2, 1, 1, 0, 0});
    {
      auto sender2 = sender.clone();
      auto receiver2 = receiver.clone();
      auto receiver3 = receiver2.clone();
      check({1, 2, 2, 3, 0, 0});
    }
    check({1, 2, 1, 1, 0, 0});
    trio::open_nursery([&, &to = sender, &from = receiver](trio::Nursery& nursery) {
      to.send_nowait(2);
      for (int i = 0; i < 2; ++i) nursery.start_soon([&, i] { to.send(i); });
      wait_all_tasks_blocked();
      check({2, 2, 1, 1, 2, 0});
      from.receive_nowait();
      check({2, 2, 1, 1, 1, 0});
      for (int i = 0; i < 3; ++i) from.receive_nowait();
      check({0, 2, 1, 1, 0, 0});
      for (int i = 0; i < 2; ++i) nursery.start_soon([&] { from.receive(); });
      wait_all_tasks_blocked();
      check({0, 2, 1, 1, 0, 2});
      nursery.cancel_scope().cancel();
      nursery.join();
    });
    check({0, 2, 1, 1, 0, 0});
  });
}

TEST_CASE("a value sent belongs to who waits longest, though others ask first [ch:369]") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(1);
    // With nobody waiting, who asks gets.
    sender.send_nowait(1);
    CHECK(receiver.receive_nowait() == 1);
    trio::open_nursery([&, &to = sender, &from = receiver](trio::Nursery& nursery) {
      nursery.start_soon([&] { CHECK(from.receive() == 2); });
      wait_all_tasks_blocked();
      to.send_nowait(2);
      CHECK_THROWS_AS(from.receive_nowait(), trio::WouldBlock);
    });
  });
}

TEST_CASE("a slot that becomes free belongs to the sender that waits longest [ch:369]") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(1);
    trio::open_nursery([&, &to = sender, &from = receiver](trio::Nursery& nursery) {
      to.send_nowait(1);
      nursery.start_soon([&] { to.send(2); });
      wait_all_tasks_blocked();
      CHECK(from.receive_nowait() == 1);
      CHECK_THROWS_AS(to.send_nowait(3), trio::WouldBlock);
      CHECK(from.receive() == 2);
    });
  });
}

TEST_CASE("senders that wait are served before who comes later") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(2);
    Ints received;
    trio::open_nursery([&, &to = sender, &from = receiver](trio::Nursery& nursery) {
      for (int i = 0; i < 6; ++i) {
        nursery.start_soon([&, i] { to.send(i); });
        wait_all_tasks_blocked();
      }
      for (int i = 0; i < 6; ++i) received.push_back(from.receive());
    });
    CHECK(received == Ints{0, 1, 2, 3, 4, 5});
  });
}

TEST_CASE("receivers that wait are served before who comes later") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(2);
    Ints served;
    trio::open_nursery([&, &to = sender, &from = receiver](trio::Nursery& nursery) {
      for (int i = 0; i < 4; ++i) {
        nursery.start_soon([&, i] {
          CHECK(from.receive() == i);
          served.push_back(i);
        });
        wait_all_tasks_blocked();
      }
      for (int i = 0; i < 4; ++i) to.send(i);
    });
    CHECK(served == Ints{0, 1, 2, 3});
  });
}

TEST_CASE("without a buffer, sender and receiver meet [ch:411]") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(0);
    CHECK_THROWS_AS(receiver.receive_nowait(), trio::WouldBlock);
    CHECK_THROWS_AS(sender.send_nowait(1), trio::WouldBlock);
    SUBCASE("the sender waits") {
      trio::open_nursery([&, &to = sender, &from = receiver](trio::Nursery& nursery) {
        bool sent = false;
        nursery.start_soon([&] {
          to.send(1);
          sent = true;
        });
        wait_all_tasks_blocked();
        CHECK(!sent);
        CHECK(from.receive() == 1);
        wait_all_tasks_blocked();
        CHECK(sent);
        CHECK_THROWS_AS(from.receive_nowait(), trio::WouldBlock);
      });
    }
    SUBCASE("the sender waits and is asked without waiting") {
      trio::open_nursery([&, &to = sender, &from = receiver](trio::Nursery& nursery) {
        nursery.start_soon([&] { to.send(1); });
        wait_all_tasks_blocked();
        CHECK(from.receive_nowait() == 1);
        CHECK_THROWS_AS(from.receive_nowait(), trio::WouldBlock);
      });
    }
    SUBCASE("the receiver waits") {
      trio::open_nursery([&, &to = sender, &from = receiver](trio::Nursery& nursery) {
        nursery.start_soon([&] { CHECK(from.receive() == 1); });
        wait_all_tasks_blocked();
        to.send_nowait(1);
        CHECK_THROWS_AS(to.send_nowait(2), trio::WouldBlock);
      });
    }
  });
}

TEST_CASE("a cancelled send has sent nothing, a cancelled receive has taken nothing") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(1);
    CHECK(trio::move_on_after(1s, [&, &from = receiver] { from.receive(); }).cut_short);
    sender.send_nowait(1);
    CHECK(trio::move_on_after(1s, [&, &to = sender] { to.send(2); }).cut_short);
    CHECK(sender.statistics().tasks_waiting_send == 0);
    CHECK(sender.statistics().tasks_waiting_receive == 0);
    sender.close();
    CHECK(all_of(receiver) == Ints{1});
  });
}

TEST_CASE("in a cancelled scope nothing is sent or taken though it could be done at once") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(2);
    sender.send_nowait(1);
    trio::CancelScope scope;
    support::within(scope, [&, &to = sender, &from = receiver] {
      scope.cancel();
      CHECK_THROWS_AS(to.send(2), trio::Cancelled);
      CHECK_THROWS_AS(from.receive(), trio::Cancelled);
      CHECK_THROWS_AS(from.next(), trio::Cancelled);
      // What cannot wait cannot be cancelled.
      to.send_nowait(3);
      CHECK(from.receive_nowait() == 1);
    });
    sender.close();
    CHECK(all_of(receiver) == Ints{3});
  });
}

TEST_CASE("a waiter that is cancelled leaves its place to the next") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(0);
    trio::CancelScope scope;
    trio::open_nursery([&, &to = sender, &from = receiver](trio::Nursery& nursery) {
      nursery.start_soon([&] { support::within(scope, [&] { from.receive(); }); });
      wait_all_tasks_blocked();
      nursery.start_soon([&] { CHECK(from.receive() == 1); });
      wait_all_tasks_blocked();
      scope.cancel();
      to.send_nowait(1);
    });
    CHECK(scope.cancelled_caught());
  });
}

TEST_CASE("a cancellation after a value was handed over comes too late for the receive [o16]") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(0);
    std::optional<int> received;
    trio::CancelScope scope;
    trio::open_nursery([&, &to = sender, &from = receiver](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        support::within(scope, [&] {
          received = from.receive();
          checkpoint();
          FAIL("a Cancelled was due");
        });
      });
      wait_all_tasks_blocked();
      to.send_nowait(1);
      scope.cancel();
    });
    CHECK(received == 1);
    CHECK(scope.cancelled_caught());
  });
}

TEST_CASE("a cancellation after a value was taken comes too late for the send") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(0);
    bool sent = false;
    trio::CancelScope scope;
    trio::open_nursery([&, &to = sender, &from = receiver](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        support::within(scope, [&] {
          to.send(1);
          sent = true;
          checkpoint();
          FAIL("a Cancelled was due");
        });
      });
      wait_all_tasks_blocked();
      CHECK(from.receive_nowait() == 1);
      scope.cancel();
    });
    CHECK(sent);
    CHECK(scope.cancelled_caught());
  });
}

TEST_CASE("send and receive are checkpoints always, what says nowait never is") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(5);
    assert_checkpoints([&, &to = sender] { to.send(1); });
    assert_checkpoints([&, &from = receiver] { from.receive(); });
    assert_no_checkpoints([&, &to = sender] { to.send_nowait(1); });
    assert_no_checkpoints([&, &from = receiver] { from.receive_nowait(); });
    assert_no_checkpoints([&, &to = sender] { to.clone().close(); });
    assert_no_checkpoints([&, &from = receiver] { from.clone().close(); });
    sender.send_nowait(1);
    assert_checkpoints([&, &from = receiver] { CHECK(*from.begin() == 1); });
    sender.close();
    assert_checkpoints([&, &from = receiver] { CHECK(!from.next()); });
  });
}

TEST_CASE("an end closes when it is destroyed, and when another is moved into it") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(1);
    auto [other_sender, other_receiver] = open_memory_channel<int>(1);
    sender = std::move(other_sender);
    CHECK_THROWS_AS(receiver.receive(), trio::EndOfChannel);
    sender.send_nowait(1);
    CHECK(other_receiver.receive() == 1);
    receiver = std::move(other_receiver);
    sender.send_nowait(2);
    CHECK(receiver.receive() == 2);
    { auto const dropped = std::move(receiver); }
    CHECK_THROWS_AS(sender.send_nowait(3), trio::BrokenResourceError);
    // A moved-from end is a closed one.
    CHECK_THROWS_AS(receiver.receive(), trio::ClosedResourceError);
    static_assert(!std::is_copy_constructible_v<trio::MemorySendChannel<int>>);
    static_assert(!std::is_copy_constructible_v<trio::MemoryReceiveChannel<int>>);
  });
}

TEST_CASE("an end that is destroyed while a task waits in it wakes the task") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(0);
    auto doomed = std::make_unique<trio::MemoryReceiveChannel<int>>(receiver.clone());
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { CHECK_THROWS_AS(doomed->receive(), trio::ClosedResourceError); });
      wait_all_tasks_blocked();
      doomed.reset();
    });
  });
}

TEST_CASE("values need only be movable") {
  run([] {
    auto [sender, receiver] = open_memory_channel<std::unique_ptr<int>>(1);
    sender.send(std::make_unique<int>(1));
    CHECK(*receiver.receive() == 1);
    trio::open_nursery([&, &to = sender, &from = receiver](trio::Nursery& nursery) {
      to.send_nowait(std::make_unique<int>(2));
      nursery.start_soon([&] { to.send(std::make_unique<int>(3)); });
      wait_all_tasks_blocked();
      CHECK(*from.receive() == 2);
      CHECK(*from.receive() == 3);
      nursery.start_soon([&] { CHECK(*from.receive() == 4); });
      wait_all_tasks_blocked();
      to.send_nowait(std::make_unique<int>(4));
    });
    sender.send(std::make_unique<int>(5));
    sender.close();
    for (auto& value : receiver) CHECK(*value == 5);
  });
}

TEST_CASE("an end of a channel may itself travel through a channel, even its own") {
  run([] {
    using Reply = trio::MemorySendChannel<int>;
    auto [requests, server] = open_memory_channel<Reply>(0);
    trio::open_nursery([&, &from = server, &to = requests](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        for (Reply& reply : from) reply.send(42);
      });
      for (int i = 0; i < 3; ++i) {
        auto [reply, answer] = open_memory_channel<int>(0);
        to.send(std::move(reply));
        CHECK(all_of(answer) == Ints{42});
      }
      to.close();
    });

    struct Knot {
      std::optional<trio::MemorySendChannel<Knot>> end;
    };
    auto [sender, receiver] = open_memory_channel<Knot>(2);
    sender.send_nowait(Knot{sender.clone()});
    sender.send_nowait(Knot{sender.clone()});
    sender.close();
    // Drops both, and with them the last senders, while it closes.
    receiver.close();
  });
}

TEST_CASE("leaving a loop over a channel leaves the rest to be received") {
  run([] {
    auto [sender, receiver] = open_memory_channel<int>(5);
    for (int i = 0; i < 4; ++i) sender.send_nowait(i);
    for (int value : receiver)
      if (value == 1) break;
    CHECK(receiver.receive() == 2);
    sender.close();
    CHECK(all_of(receiver) == Ints{3});
    CHECK(all_of(receiver).empty());
    static_assert(std::input_iterator<trio::MemoryReceiveChannel<int>::Iterator>);
  });
}

namespace {

// Throws when it is moved the given number of times from now.
struct Fragile {
  explicit Fragile(int number) : value(number) {}

  Fragile(Fragile&& other) : value(other.value) {
    if (moves_left > 0 && --moves_left == 0) throw std::runtime_error("broke in transit");
  }

  int value;
  static inline int moves_left = 0;
};

}  // namespace

TEST_CASE("a value that throws when it is moved hangs nobody and loses no other value") {
  for (bool receivers_wait : {false, true}) {
    for (int broken_move = 1; broken_move <= 16; ++broken_move) {
      CAPTURE(receivers_wait);
      CAPTURE(broken_move);
      run([&] {
        auto [sender, receiver] = open_memory_channel<Fragile>(1);
        int sent = 0, received = 0, broken = 0;
        trio::open_nursery([&, &to = sender, &from = receiver](trio::Nursery& nursery) {
          auto const attempt = [&](auto&& operation) {
            try {
              operation();
            } catch (std::runtime_error const&) {
              ++broken;
            }
          };
          auto const start_receivers = [&] {
            for (int i = 0; i < 4; ++i)
              nursery.start_soon([&] {
                attempt([&] {
                  if (from.next()) ++received;
                });
              });
            wait_all_tasks_blocked();
          };
          if (receivers_wait) start_receivers();
          Fragile::moves_left = broken_move;
          for (int i = 0; i < 4; ++i)
            nursery.start_soon([&, i] {
              attempt([&] {
                to.send(Fragile(i));
                ++sent;
              });
            });
          wait_all_tasks_blocked();
          if (!receivers_wait) start_receivers();
          Fragile::moves_left = 0;
          to.close();
          wait_all_tasks_blocked();
          CHECK(nursery.child_task_count() == 0);
          nursery.cancel_scope().cancel();
        });
        CHECK(broken <= 1);
        CHECK(sent >= 3);
        CHECK(received >= 3);
      });
    }
  }
}

TEST_CASE("a task that waits at a channel and is rescheduled by hand is told so") {
  run([] {
    auto [sender, receiver] = trio::open_memory_channel<int>(0);
    trio::open_nursery([&](trio::Nursery& nursery) {
      trio::Task* waiter = nullptr;
      nursery.start_soon([&] {
        waiter = &trio::lowlevel::current_task();
        CHECK_THROWS_AS(receiver.receive(), trio::MisuseError);
        CHECK_THROWS_AS(sender.send(1), trio::MisuseError);
      });
      for (int i = 0; i < 2; ++i) {
        wait_all_tasks_blocked();
        trio::lowlevel::reschedule(*waiter);
      }
      nursery.join();
    });
    CHECK(sender.statistics().tasks_waiting_send == 0);
    CHECK(sender.statistics().tasks_waiting_receive == 0);
  });
}

TEST_CASE("a task rescheduled by hand keeps no channel from serving others or being closed") {
  run([] {
    for (bool sending : {true, false}) {
      CAPTURE(sending);
      for (bool closing : {true, false}) {
        CAPTURE(closing);
        auto channel = open_memory_channel<int>(0);
        int refused = 0;
        int served = 0;
        int turned_away = 0;
        trio::open_nursery([&](trio::Nursery& nursery) {
          auto const start = [&] {
            trio::Task* waiter = nullptr;
            nursery.start_soon([&] {
              waiter = &trio::lowlevel::current_task();
              try {
                if (sending) {
                  channel.sender.send(7);
                } else {
                  int const received = channel.receiver.receive();
                  CHECK(received == 7);
                }
                ++served;
              } catch (trio::MisuseError const&) {
                ++refused;
              } catch (std::runtime_error const&) {
                ++turned_away;
              }
            });
            wait_all_tasks_blocked();
            return waiter;
          };
          trio::Task* const first = start();
          start();
          trio::lowlevel::reschedule(*first);
          if (closing) {
            channel.sender.close();
            channel.receiver.close();
          } else if (sending) {
            CHECK(channel.receiver.receive_nowait() == 7);
          } else {
            channel.sender.send_nowait(7);
          }
        });
        CHECK(refused == 1);
        CHECK(served == (closing ? 0 : 1));
        CHECK(turned_away == (closing ? 1 : 0));
      }
    }
  });
}
