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
      CHECK(event.statistics().tasks_waiting == 0);
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

TEST_CASE("an event that is destroyed wakes who waits with BrokenResourceError") {
  run([] {
    std::optional<trio::Event> event(std::in_place);
    int told = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int i = 0; i < 2; ++i)
        nursery.start_soon([&] {
          CHECK_THROWS_AS(event->wait(), trio::BrokenResourceError);
          ++told;
        });
      wait_all_tasks_blocked();
      CHECK(event->statistics().tasks_waiting == 2);
      event.reset();
    });
    CHECK(told == 2);
  });
}

TEST_CASE("a lock tells who holds it and how many wait") {
  run([] {
    trio::Lock lock;
    lock.acquire();
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { auto const held = lock.guard(); });
      wait_all_tasks_blocked();
      auto const now = lock.statistics();
      CHECK(now.locked);
      CHECK(now.owner == &current_task());
      CHECK(now.tasks_waiting == 1);
      lock.release();
    });
    CHECK(!lock.statistics().locked);
    CHECK(lock.statistics().owner == nullptr);
  });
}

TEST_CASE("the guard of a lock that broke meanwhile has nothing to release") {
  run([] {
    trio::Condition condition;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        CHECK_THROWS_AS(
            [&] {
              auto const held = condition.guard();
              condition.wait();
            }(),
            trio::BrokenResourceError);
      });
      wait_all_tasks_blocked();
      nursery.start_soon([&] {
        condition.acquire();
        condition.notify();
      });
    });
    CHECK(condition.is_broken());
  });
}

TEST_CASE("a lock needs a task") {
  trio::Lock lock;
  CHECK_THROWS_AS(lock.acquire(), trio::MisuseError);
  CHECK_THROWS_AS(lock.acquire_nowait(), trio::MisuseError);
  CHECK_THROWS_AS(lock.release(), trio::MisuseError);
}
