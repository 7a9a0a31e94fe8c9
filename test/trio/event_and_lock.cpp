// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using support::run;
using trio::lowlevel::checkpoint;
using trio::lowlevel::current_task;
using trio::testing::assert_checkpoints;
using trio::testing::assert_no_checkpoints;
using trio::testing::wait_all_tasks_blocked;

TEST_CASE("an event wakes everybody who waits, once it is set [sy:17]") {
  run([] {
    trio::Event event;
    CHECK(!event.is_set());
    CHECK(event.tasks_waiting() == 0);
    int woken = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int i = 0; i < 3; ++i)
        nursery.start_soon([&] {
          event.wait();
          ++woken;
        });
      wait_all_tasks_blocked();
      CHECK(woken == 0);
      CHECK(event.tasks_waiting() == 3);
      assert_no_checkpoints([&] { event.set(); });
      CHECK(event.is_set());
      CHECK(event.tasks_waiting() == 0);
      CHECK(woken == 0);
    });
    CHECK(woken == 3);
  });
}

TEST_CASE("waiting for an event that is set is still a checkpoint [sy:17]") {
  run([] {
    trio::Event event;
    event.set();
    event.set();
    assert_checkpoints([&] { event.wait(); });
    trio::CancelScope scope;
    auto const outcome = scope.enter([&] {
      scope.cancel();
      event.wait();
    });
    CHECK(outcome.cut_short);
    static_assert(!std::is_convertible_v<trio::Event, bool>);
  });
}

TEST_CASE("a cancelled wait leaves the event to the others") {
  run([] {
    trio::Event event;
    bool woken = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        event.wait();
        woken = true;
      });
      CHECK(trio::move_on_after(1s, [&] { event.wait(); }).cut_short);
      CHECK(event.tasks_waiting() == 1);
      event.set();
    });
    CHECK(woken);
  });
}

TEST_CASE("an event set before its waiter is cancelled was in time") {
  run([] {
    trio::Event event;
    trio::CancelScope scope;
    bool woken = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        support::within(scope, [&] {
          event.wait();
          woken = true;
        });
      });
      wait_all_tasks_blocked();
      event.set();
      scope.cancel();
    });
    CHECK(woken);
    CHECK(!scope.cancelled_caught());
  });
}

TEST_CASE("a lock belongs to the task that acquired it until it releases it [sy:330]") {
  run([] {
    trio::Lock lock;
    CHECK(!lock.locked());
    CHECK(lock.owner() == nullptr);
    lock.acquire();
    CHECK(lock.locked());
    CHECK(lock.owner() == &current_task());
    lock.release();
    CHECK(!lock.locked());
    CHECK(lock.owner() == nullptr);
    lock.acquire_nowait();
    CHECK(lock.locked());
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        CHECK_THROWS_AS(lock.acquire_nowait(), trio::WouldBlock);
        CHECK_THROWS_AS(lock.release(), trio::MisuseError);
      });
    });
    lock.release();
    CHECK_THROWS_AS(lock.release(), trio::MisuseError);
  });
}

TEST_CASE("a lock is not reentrant [sy:330]") {
  run([] {
    trio::Lock lock;
    lock.acquire();
    CHECK_THROWS_AS(lock.acquire(), trio::MisuseError);
    CHECK_THROWS_AS(lock.acquire_nowait(), trio::MisuseError);
    CHECK(lock.owner() == &current_task());
    lock.release();
    CHECK(!lock.locked());
  });
}

TEST_CASE("acquire is a checkpoint always; acquire_nowait and release never are [te:139]") {
  run([] {
    trio::Lock lock;
    assert_checkpoints([&] { lock.acquire(); });
    assert_no_checkpoints([&] { lock.release(); });
    assert_no_checkpoints([&] { lock.acquire_nowait(); });
    lock.release();
    assert_checkpoints([&] { auto const held = lock.guard(); });
  });
}

TEST_CASE("a guard holds the lock for its block, however it ends") {
  run([] {
    trio::Lock lock;
    {
      auto const held = lock.guard();
      CHECK(lock.owner() == &current_task());
    }
    CHECK(!lock.locked());
    CHECK_THROWS_AS(
        [&] {
          auto const held = lock.guard();
          throw support::KeyError();
        }(),
        support::KeyError);
    CHECK(!lock.locked());
    auto const outcome = trio::move_on_after(1s, [&] {
      auto const held = lock.guard();
      trio::sleep_forever();
    });
    CHECK(outcome.cut_short);
    CHECK(!lock.locked());
  });
}

TEST_CASE("only one task at a time is inside a lock") {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    trio::RunOptions options;
    options.shuffle_seed = seed;
    trio::run(options, [] {
      trio::Lock lock;
      bool inside = false;
      int entries = 0;
      trio::open_nursery([&](trio::Nursery& nursery) {
        for (int i = 0; i < 5; ++i)
          nursery.start_soon([&] {
            for (int round = 0; round < 10; ++round) {
              auto const held = lock.guard();
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

TEST_CASE("who waits for a lock gets it in the order of their coming") {
  run([] {
    trio::Lock lock;
    std::vector<int> order;
    trio::open_nursery([&](trio::Nursery& nursery) {
      lock.acquire();
      for (int i = 0; i < 5; ++i) {
        nursery.start_soon([&, i] {
          auto const held = lock.guard();
          order.push_back(i);
          checkpoint();
        });
        wait_all_tasks_blocked();
        CHECK(lock.tasks_waiting() == static_cast<std::size_t>(i + 1));
      }
      lock.release();
    });
    CHECK(order == std::vector{0, 1, 2, 3, 4});
  });
}

TEST_CASE("release hands the lock over before the next owner runs: nobody overtakes [sy:706]") {
  run([] {
    trio::Lock lock;
    trio::Task* waiter = nullptr;
    trio::open_nursery([&](trio::Nursery& nursery) {
      lock.acquire();
      nursery.start_soon([&] {
        waiter = &current_task();
        auto const held = lock.guard();
        CHECK(lock.owner() == &current_task());
      });
      wait_all_tasks_blocked();
      lock.release();
      CHECK(lock.owner() == waiter);
      CHECK_THROWS_AS(lock.acquire_nowait(), trio::WouldBlock);
      CHECK_THROWS_AS(lock.release(), trio::MisuseError);
    });
    CHECK(!lock.locked());
  });
}

TEST_CASE("a task that releases and acquires again goes behind those who wait") {
  run([] {
    trio::Lock lock;
    std::string turns;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (char name : {'a', 'b', 'c'})
        nursery.start_soon([&, name] {
          for (int i = 0; i < 3; ++i) {
            auto const held = lock.guard();
            turns += name;
            checkpoint();
          }
        });
    });
    CHECK(turns == "abcabcabc");
  });
}

TEST_CASE("a cancelled acquire has not taken the lock [o15]") {
  run([] {
    trio::Lock lock;
    trio::CancelScope scope;
    bool second_got_it = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      lock.acquire();
      nursery.start_soon([&] { support::within(scope, [&] { lock.acquire(); }); });
      wait_all_tasks_blocked();
      nursery.start_soon([&] {
        auto const held = lock.guard();
        second_got_it = true;
      });
      wait_all_tasks_blocked();
      scope.cancel();
      CHECK(lock.tasks_waiting() == 1);
      lock.release();
    });
    CHECK(scope.cancelled_caught());
    CHECK(second_got_it);
    CHECK(!lock.locked());
  });
}

TEST_CASE("in a cancelled scope acquire takes nothing though the lock is free") {
  run([] {
    trio::Lock lock;
    trio::CancelScope scope;
    support::within(scope, [&] {
      scope.cancel();
      CHECK_THROWS_AS(lock.acquire(), trio::Cancelled);
    });
    CHECK(!lock.locked());
  });
}

TEST_CASE("a task cancelled after the lock was handed to it has it, and gives it back [o14]") {
  run([] {
    trio::Lock lock;
    trio::CancelScope scope;
    bool held_it = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      lock.acquire();
      nursery.start_soon([&] {
        support::within(scope, [&] {
          auto const held = lock.guard();
          held_it = true;
          checkpoint();
          FAIL("a Cancelled was due");
        });
      });
      wait_all_tasks_blocked();
      lock.release();
      scope.cancel();
    });
    CHECK(held_it);
    CHECK(scope.cancelled_caught());
    CHECK(!lock.locked());
  });
}

TEST_CASE("a lock whose owner ended is broken for who waits and who comes later [sy:672, sy:689]") {
  run([] {
    trio::Lock lock;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        lock.acquire();
        wait_all_tasks_blocked();
      });
      checkpoint();
      for (int i = 0; i < 2; ++i)
        nursery.start_soon([&] { CHECK_THROWS_AS(lock.acquire(), trio::BrokenResourceError); });
    });
    CHECK_THROWS_AS(lock.acquire(), trio::BrokenResourceError);
    CHECK_THROWS_AS(lock.acquire_nowait(), trio::BrokenResourceError);
    CHECK_THROWS_AS(lock.release(), trio::MisuseError);
  });
}

TEST_CASE("a lock handed over breaks when its new owner ends with it, not the old [sy:706]") {
  run([] {
    trio::Lock lock;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        lock.acquire();
        wait_all_tasks_blocked();
        lock.release();
      });
      checkpoint();
      trio::Event end;
      nursery.start_soon([&] {
        lock.acquire();
        end.wait();
      });
      trio::testing::wait_all_tasks_blocked(1ns);
      CHECK(nursery.child_task_count() == 1);
      CHECK(lock.locked());
      CHECK_THROWS_AS(lock.acquire_nowait(), trio::WouldBlock);
      end.set();
      nursery.join();
    });
    CHECK_THROWS_AS(lock.acquire(), trio::BrokenResourceError);
  });
}

TEST_CASE("a broken lock names no owner, and takes no new task for the one that is gone") {
  run([] {
    trio::Lock lock;
    auto const in_a_task = [](auto fn) {
      trio::open_nursery([&](trio::Nursery& nursery) { nursery.start_soon(fn); });
    };
    in_a_task([&] { lock.acquire(); });
    CHECK(lock.locked());
    CHECK(lock.owner() == nullptr);
    // One of these will be where the old owner was.
    for (int i = 0; i < 20; ++i)
      in_a_task([&] {
        CHECK_THROWS_AS(lock.acquire(), trio::BrokenResourceError);
        CHECK_THROWS_AS(lock.release(), trio::MisuseError);
      });
  });
}

TEST_CASE("a lock may go before the task that holds it") {
  run([] {
    std::optional<trio::Lock> lock(std::in_place);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        lock->acquire();
        // What stands in its place must not be broken by this task's end.
        lock.emplace();
      });
    });
    lock->acquire();
    lock->release();
    // And one on the stack of a task that fails.
    CHECK_THROWS_AS(trio::open_nursery([&](trio::Nursery& nursery) {
                      nursery.start_soon([] {
                        trio::Lock local;
                        local.acquire();
                        throw support::KeyError();
                      });
                    }),
                    trio::ExceptionGroup);
  });
}

TEST_CASE("a lock needs a task") {
  trio::Lock lock;
  CHECK_THROWS_AS(lock.acquire(), trio::MisuseError);
  CHECK_THROWS_AS(lock.acquire_nowait(), trio::MisuseError);
  CHECK_THROWS_AS(lock.release(), trio::MisuseError);
}
