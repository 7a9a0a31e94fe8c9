// SPDX-License-Identifier: BSL-1.0
// What everything that is like a lock has in common: at most one task is inside, the first to come
// is the first to be let in, and who is cancelled has taken nothing. Mirrors trio's generic lock
// tests.
#include "support.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using support::AtEnd;
using support::run;
using trio::Guard;
using trio::lowlevel::checkpoint;
using trio::lowlevel::current_task;
using trio::testing::assert_checkpoints;
using trio::testing::assert_no_checkpoints;
using trio::testing::wait_all_tasks_blocked;

namespace {

struct OneToken : trio::CapacityLimiter {
  OneToken() : CapacityLimiter(1) {}
};

struct OnePlace : trio::Semaphore {
  OnePlace() : Semaphore(1, 1) {}
};

struct ConditionOfALock : trio::Condition {
  ConditionOfALock() : Condition(lock) {}

  trio::Lock lock;
};

// Whoever can send is inside: there is room for one more value.
template <std::size_t capacity> class RoomInAChannel {
 public:
  RoomInAChannel() {
    for (std::size_t i = 1; i < capacity; ++i) channel_.sender.send_nowait({});
  }

  void acquire() { channel_.sender.send({}); }

  void acquire_nowait() { channel_.sender.send_nowait({}); }

  void release() { channel_.receiver.receive_nowait(); }

 private:
  struct Nothing {};

  trio::MemoryChannelPair<Nothing> channel_ = trio::open_memory_channel<Nothing>(capacity);
};

// Whoever has the only value is inside.
class ValueInAChannel {
 public:
  ValueInAChannel() { release(); }

  void acquire() { channel_.receiver.receive(); }

  void acquire_nowait() { channel_.receiver.receive_nowait(); }

  void release() { channel_.sender.send_nowait({}); }

 private:
  struct Nothing {};

  trio::MemoryChannelPair<Nothing> channel_ = trio::open_memory_channel<Nothing>(10);
};

// Whoever waits at a channel without room waits for whoever is inside. Mirrors trio's ChannelLock3.
class RendezvousChannel {
 public:
  void acquire() {
    trio::lowlevel::checkpoint_if_cancelled();
    if (std::exchange(taken_, true))
      channel_.sender.send({});
    else
      trio::lowlevel::cancel_shielded_checkpoint();
  }

  void acquire_nowait() {
    if (std::exchange(taken_, true)) throw trio::WouldBlock();
  }

  void release() {
    try {
      channel_.receiver.receive_nowait();
    } catch (trio::WouldBlock const&) {
      taken_ = false;
    }
  }

 private:
  struct Nothing {};

  bool taken_ = false;
  trio::MemoryChannelPair<Nothing> channel_ = trio::open_memory_channel<Nothing>(0);
};

template <class L> bool is_free(L& lock) {
  try {
    lock.acquire_nowait();
  } catch (trio::WouldBlock const&) {
    return false;
  }
  lock.release();
  return true;
}

}  // namespace

TYPE_TO_STRING(trio::Lock);
TYPE_TO_STRING(trio::StrictFIFOLock);
TYPE_TO_STRING(trio::Condition);
TYPE_TO_STRING(ConditionOfALock);
TYPE_TO_STRING(OnePlace);
TYPE_TO_STRING(OneToken);
TYPE_TO_STRING(RoomInAChannel<1>);
TYPE_TO_STRING(RoomInAChannel<10>);
TYPE_TO_STRING(ValueInAChannel);
TYPE_TO_STRING(RendezvousChannel);

#define LOCKS                                                                              \
  trio::Lock, trio::StrictFIFOLock, trio::Condition, ConditionOfALock, OnePlace, OneToken, \
      RoomInAChannel<1>, RoomInAChannel<10>, ValueInAChannel, RendezvousChannel

TEST_CASE_TEMPLATE("only one task at a time is inside [sy:560]", L, LOCKS) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    trio::RunOptions options;
    options.shuffle_seed = seed;
    trio::run(options, [] {
      L lock;
      bool inside = false;
      int entries = 0;
      trio::open_nursery([&](trio::Nursery& nursery) {
        for (int i = 0; i < 5; ++i)
          nursery.start_soon([&] {
            for (int round = 0; round < 10; ++round) {
              Guard const held(lock);
              CHECK(!inside);
              inside = true;
              checkpoint();
              inside = false;
              ++entries;
            }
          });
      });
      CHECK(entries == 50);
    });
  }
}

TEST_CASE_TEMPLATE("who waits is let in in the order of their coming [sy:590]", L, LOCKS) {
  run([] {
    L lock;
    std::vector<int> order;
    trio::open_nursery([&](trio::Nursery& nursery) {
      lock.acquire();
      for (int i = 0; i < 5; ++i) {
        nursery.start_soon([&, i] {
          Guard const held(lock);
          order.push_back(i);
          checkpoint();
        });
        wait_all_tasks_blocked();
      }
      lock.release();
    });
    CHECK(order == std::vector{0, 1, 2, 3, 4});
  });
}

TEST_CASE_TEMPLATE("who releases and acquires again goes behind those who wait [sy:590]", L,
                   LOCKS) {
  run([] {
    L lock;
    std::string turns;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (char name : {'a', 'b', 'c'})
        nursery.start_soon([&, name] {
          for (int i = 0; i < 3; ++i) {
            Guard const held(lock);
            turns += name;
            checkpoint();
          }
        });
    });
    CHECK(turns == "abcabcabc");
  });
}

TEST_CASE_TEMPLATE("acquire_nowait throws WouldBlock while another is inside [sy:620]", L, LOCKS) {
  run([] {
    L lock;
    lock.acquire_nowait();
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { CHECK_THROWS_AS(lock.acquire_nowait(), trio::WouldBlock); });
    });
    lock.release();
    CHECK(is_free(lock));
  });
}

TEST_CASE_TEMPLATE("acquire_nowait makes acquire wait [sy:630]", L, LOCKS) {
  run([] {
    L lock;
    bool inside = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      lock.acquire_nowait();
      nursery.start_soon([&] {
        Guard const held(lock);
        inside = true;
      });
      wait_all_tasks_blocked();
      CHECK(!inside);
      lock.release();
    });
    CHECK(inside);
  });
}

TEST_CASE_TEMPLATE("release lets the next one in before it runs: nobody overtakes [sy:706]", L,
                   LOCKS) {
  run([] {
    L lock;
    trio::open_nursery([&](trio::Nursery& nursery) {
      lock.acquire();
      bool inside = false;
      nursery.start_soon([&] {
        Guard const held(lock);
        inside = true;
      });
      wait_all_tasks_blocked();
      lock.release();
      CHECK(!inside);
      CHECK_THROWS_AS(lock.acquire_nowait(), trio::WouldBlock);
      nursery.join();
    });
    CHECK(is_free(lock));
  });
}

TEST_CASE_TEMPLATE("acquire is a checkpoint always; acquire_nowait and release never [te:139]", L,
                   LOCKS) {
  run([] {
    L lock;
    assert_checkpoints([&] { lock.acquire(); });
    assert_no_checkpoints([&] { lock.release(); });
    assert_no_checkpoints([&] { lock.acquire_nowait(); });
    lock.release();
    assert_checkpoints([&] { Guard const held(lock); });
  });
}

TEST_CASE_TEMPLATE("a guard holds for its block, however it ends", L, LOCKS) {
  run([] {
    L lock;
    {
      Guard const held(lock);
      bool free = true;
      trio::open_nursery(
          [&](trio::Nursery& nursery) { nursery.start_soon([&] { free = is_free(lock); }); });
      CHECK(!free);
    }
    CHECK(is_free(lock));
    CHECK_THROWS_AS(
        [&] {
          Guard const held(lock);
          throw support::KeyError();
        }(),
        support::KeyError);
    CHECK(is_free(lock));
    auto const outcome = trio::move_on_after(1s, [&] {
      Guard const held(lock);
      trio::sleep_forever();
    });
    CHECK(outcome.cut_short);
    CHECK(is_free(lock));
  });
}

TEST_CASE_TEMPLATE("in a cancelled scope acquire takes nothing though it could", L, LOCKS) {
  run([] {
    L lock;
    trio::CancelScope scope;
    support::within(scope, [&] {
      scope.cancel();
      CHECK_THROWS_AS(lock.acquire(), trio::Cancelled);
    });
    CHECK(is_free(lock));
  });
}

TEST_CASE_TEMPLATE("who is cancelled while it waits is skipped for the next [o15]", L, LOCKS) {
  run([] {
    L lock;
    trio::CancelScope scope;
    bool second_was_inside = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      lock.acquire();
      nursery.start_soon([&] { support::within(scope, [&] { lock.acquire(); }); });
      wait_all_tasks_blocked();
      nursery.start_soon([&] {
        Guard const held(lock);
        second_was_inside = true;
      });
      wait_all_tasks_blocked();
      scope.cancel();
      lock.release();
    });
    CHECK(scope.cancelled_caught());
    CHECK(second_was_inside);
    CHECK(is_free(lock));
  });
}

TEST_CASE_TEMPLATE("who is cancelled after it was let in is in, until its next checkpoint [o14]", L,
                   LOCKS) {
  run([] {
    L lock;
    trio::CancelScope scope;
    bool inside = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      lock.acquire();
      nursery.start_soon([&] {
        support::within(scope, [&] {
          Guard const held(lock);
          inside = true;
          checkpoint();
          FAIL("a Cancelled was due");
        });
      });
      wait_all_tasks_blocked();
      lock.release();
      scope.cancel();
    });
    CHECK(inside);
    CHECK(scope.cancelled_caught());
    CHECK(is_free(lock));
  });
}

TEST_CASE_TEMPLATE("who waits and is rescheduled by hand is not inside", L, LOCKS) {
  run([] {
    L lock;
    lock.acquire();
    trio::open_nursery([&](trio::Nursery& nursery) {
      trio::Task* waiter = nullptr;
      nursery.start_soon([&] {
        waiter = &current_task();
        CHECK_THROWS_AS(lock.acquire(), trio::MisuseError);
      });
      wait_all_tasks_blocked();
      trio::lowlevel::reschedule(*waiter);
      nursery.join();
    });
    lock.release();
    CHECK(is_free(lock));
  });
}

TEST_CASE_TEMPLATE("when whoever holds it ends, nobody ever has it again [sy:672]", L, trio::Lock,
                   trio::StrictFIFOLock, trio::Condition, ConditionOfALock) {
  run([] {
    L lock;
    int told = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        lock.acquire();
        wait_all_tasks_blocked();
      });
      for (int i = 0; i < 2; ++i)
        nursery.start_soon([&] {
          checkpoint();
          CHECK_THROWS_AS(lock.acquire(), trio::BrokenResourceError);
          ++told;
        });
    });
    CHECK(told == 2);
    CHECK(lock.is_broken());
    CHECK(lock.locked());
    CHECK_THROWS_AS(lock.acquire(), trio::BrokenResourceError);
    CHECK_THROWS_AS(lock.acquire_nowait(), trio::BrokenResourceError);
    CHECK_THROWS_AS(lock.release(), trio::MisuseError);
  });
}

TEST_CASE_TEMPLATE("destroyed, it wakes who waits with BrokenResourceError", L, trio::Lock,
                   trio::StrictFIFOLock, OnePlace, OneToken) {
  run([] {
    std::optional<L> lock(std::in_place);
    int told = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      lock->acquire();
      for (int i = 0; i < 2; ++i)
        nursery.start_soon([&] {
          CHECK_THROWS_AS(lock->acquire(), trio::BrokenResourceError);
          ++told;
        });
      wait_all_tasks_blocked();
      lock.reset();
      CHECK(told == 0);
    });
    CHECK(told == 2);
  });
}

TEST_CASE_TEMPLATE("its statistics count who waits", L, trio::Lock, trio::StrictFIFOLock,
                   trio::Condition, OnePlace, OneToken) {
  run([] {
    L lock;
    auto const waiting = [&] {
      auto const now = lock.statistics();
      if constexpr (requires { now.lock_statistics; })
        return now.lock_statistics.tasks_waiting;
      else
        return now.tasks_waiting;
    };
    trio::open_nursery([&](trio::Nursery& nursery) {
      lock.acquire();
      CHECK(waiting() == 0);
      for (int i = 0; i < 3; ++i) nursery.start_soon([&] { Guard const held(lock); });
      wait_all_tasks_blocked();
      CHECK(waiting() == 3);
      lock.release();
      CHECK(waiting() == 2);
    });
    CHECK(waiting() == 0);
  });
}

TEST_CASE_TEMPLATE("brute force: it is free afterwards", L, LOCKS) {
  for (auto disturb :
       {trio::testing::cancel_at_every_checkpoint, trio::testing::interrupt_at_every_checkpoint}) {
    disturb(
        [] {
          L lock;
          int inside = 0;
          AtEnd const check{[&] {
            CHECK(inside == 0);
            CHECK(is_free(lock));
          }};
          trio::open_nursery([&](trio::Nursery& nursery) {
            for (int i = 0; i < 4; ++i)
              nursery.start_soon([&, i] {
                for (int round = 0; round < 2; ++round) {
                  Guard const held(lock);
                  CHECK(++inside == 1);
                  AtEnd const leave{[&] { --inside; }};
                  trio::sleep(i * 1s);
                }
              });
            static_cast<void>(trio::move_on_after(1s, [&] {
              Guard const held(lock);
              trio::sleep(10s);
            }));
          });
        },
        {});
  }
}
