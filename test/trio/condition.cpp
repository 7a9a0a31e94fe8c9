// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <deque>
#include <vector>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using support::AtEnd;
using support::Log;
using support::run;
using trio::Condition;
using trio::lowlevel::checkpoint;
using trio::lowlevel::current_task;
using trio::testing::assert_checkpoints;
using trio::testing::assert_no_checkpoints;
using trio::testing::wait_all_tasks_blocked;

namespace {

// Starts `count` tasks that wait in the condition and log their going on, with the lock held.
void start_waiters(trio::Nursery& nursery, Condition& condition, int count,
                   std::vector<int>& woken) {
  for (int i = 0; i < count; ++i) {
    nursery.start_soon([&, i] {
      auto const held = condition.guard();
      condition.wait();
      CHECK(condition.statistics().lock_statistics.owner == &current_task());
      woken.push_back(i);
      checkpoint();
    });
    wait_all_tasks_blocked();
  }
}

}  // namespace

TEST_CASE("a condition is a lock, its own or one that it is given [sy:350]") {
  run([] {
    trio::Lock lock;
    Condition own, shared(lock);
    CHECK(!own.locked());
    own.acquire();
    CHECK(own.locked());
    CHECK_THROWS_AS(own.acquire(), trio::MisuseError);
    own.release();
    own.acquire_nowait();
    own.release();
    shared.acquire();
    CHECK(lock.owner() == &current_task());
    lock.release();
    CHECK(!shared.locked());
  });
}

TEST_CASE("who waits in a condition is woken in order, one or several at a time [sy:350]") {
  run([] {
    Condition condition;
    std::vector<int> woken;
    trio::open_nursery([&](trio::Nursery& nursery) {
      start_waiters(nursery, condition, 6, woken);
      auto const notify = [&](auto what) {
        {
          auto const held = condition.guard();
          assert_no_checkpoints(what);
          CHECK(woken.size() < 6);
        }
        wait_all_tasks_blocked();
      };
      notify([&] { condition.notify(); });
      CHECK(woken == std::vector{0});
      notify([&] { condition.notify(2); });
      CHECK(woken == std::vector{0, 1, 2});
      CHECK(condition.statistics().tasks_waiting == 3);
      notify([&] { condition.notify_all(); });
      CHECK(woken == std::vector{0, 1, 2, 3, 4, 5});
      condition.acquire();
      condition.notify();
      condition.release();
    });
  });
}

TEST_CASE("a notified task waits for the lock, in its queue, without waking in between [sy:380]") {
  run([] {
    trio::Lock lock;
    Condition condition(lock);
    std::vector<int> woken;
    trio::open_nursery([&](trio::Nursery& nursery) {
      start_waiters(nursery, condition, 3, woken);
      lock.acquire();
      nursery.start_soon([&] {
        auto const held = lock.guard();
        woken.push_back(10);
      });
      wait_all_tasks_blocked();
      CHECK(lock.tasks_waiting() == 1);
      condition.notify(2);
      CHECK(condition.statistics().tasks_waiting == 1);
      CHECK(condition.statistics().lock_statistics.tasks_waiting == 3);
      auto const steps = trio::lowlevel::current_statistics().tasks_runnable;
      CHECK(steps == 0);
      wait_all_tasks_blocked();
      CHECK(woken.empty());
      condition.notify_all();
      lock.release();
    });
    CHECK(woken == std::vector{10, 0, 1, 2});
  });
}

TEST_CASE("only who holds the lock may wait and notify [sy:350]") {
  run([] {
    Condition condition;
    CHECK_THROWS_AS(condition.wait(), trio::MisuseError);
    CHECK_THROWS_AS(condition.wait([] { return true; }), trio::MisuseError);
    CHECK_THROWS_AS(condition.notify(), trio::MisuseError);
    CHECK_THROWS_AS(condition.notify_all(), trio::MisuseError);
    condition.acquire();
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        CHECK_THROWS_AS(condition.wait(), trio::MisuseError);
        CHECK_THROWS_AS(condition.notify(), trio::MisuseError);
      });
    });
    condition.release();
  });
  Condition condition;
  CHECK_THROWS_AS(condition.wait(), trio::MisuseError);
}

TEST_CASE("a cancelled wait takes the lock before it throws [sy:407, o24]") {
  run([] {
    Condition condition;
    trio::CancelScope scope;
    Log log;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        support::within(scope, [&] {
          auto const held = condition.guard();
          trio::testing::assert_checkpoints([&] {
            try {
              condition.wait();
            } catch (trio::Cancelled const&) {
              log.push_back(condition.statistics().lock_statistics.owner == &current_task()
                                ? "held"
                                : "not held");
              throw;
            }
          });
        });
      });
      wait_all_tasks_blocked();
      auto const held = condition.guard();
      scope.cancel();
      trio::sleep(10s);
      log.push_back("releasing");
    });
    CHECK(log == Log{"releasing", "held"});
    CHECK(scope.cancelled_caught());
    CHECK(!condition.locked());
  });
}

TEST_CASE("a task that is cancelled between its notification and its turn throws as late") {
  run([] {
    Condition condition;
    trio::CancelScope scope;
    bool threw = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        support::within(scope, [&] {
          auto const held = condition.guard();
          AtEnd const note{[&] { threw = std::uncaught_exceptions() > 0; }};
          condition.wait();
        });
      });
      wait_all_tasks_blocked();
      auto const held = condition.guard();
      condition.notify();
      scope.cancel();
      trio::sleep(1s);
      CHECK(!threw);
    });
    CHECK(threw);
    CHECK(!condition.locked());
  });
}

TEST_CASE("waiting for a predicate waits as often as it takes, and at least lets others run") {
  run([] {
    Condition condition;
    std::deque<int> queue;
    std::vector<int> received;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        for (int i = 0; i < 3; ++i) {
          auto const held = condition.guard();
          condition.wait([&] { return !queue.empty(); });
          received.push_back(queue.front());
          queue.pop_front();
        }
      });
      for (int i = 0; i < 3; ++i) {
        wait_all_tasks_blocked();
        auto const held = condition.guard();
        condition.notify();
        checkpoint();
        queue.push_back(i);
        condition.notify();
      }
    });
    CHECK(received == std::vector{0, 1, 2});
    auto const held = condition.guard();
    assert_checkpoints([&] { condition.wait([] { return true; }); });
  });
}

TEST_CASE("a wait ends without the lock if whoever held it is gone") {
  run([] {
    Condition condition;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (bool notified : {true, false})
        nursery.start_soon([&, notified] {
          condition.acquire();
          if (notified)
            CHECK_THROWS_AS(condition.wait(), trio::BrokenResourceError);
          else
            CHECK(trio::move_on_after(2s, [&] {
                    CHECK_THROWS_AS(condition.wait(), trio::BrokenResourceError);
                    checkpoint();
                  }).cut_short);
        });
      trio::sleep(1s);
      nursery.start_soon([&] {
        condition.acquire();
        condition.notify();
      });
    });
  });
}
