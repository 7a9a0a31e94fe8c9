// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using support::run;
using trio::lowlevel::add_parking_lot_breaker;
using trio::lowlevel::checkpoint;
using trio::lowlevel::current_task;
using trio::lowlevel::ParkingLot;
using trio::lowlevel::remove_parking_lot_breaker;
using trio::testing::wait_all_tasks_blocked;

namespace {

// Starts `count` tasks that park in `lot`, in order, and log their waking.
void start_waiters(trio::Nursery& nursery, ParkingLot& lot, int count, std::vector<int>& woken) {
  for (int i = 0; i < count; ++i) {
    nursery.start_soon([&, i] {
      lot.park();
      woken.push_back(i);
    });
    wait_all_tasks_blocked();
  }
}

}  // namespace

TEST_CASE("a parking lot wakes its tasks in the order in which they came [P:23]") {
  run([] {
    ParkingLot lot;
    std::vector<int> woken;
    CHECK(lot.empty());
    trio::open_nursery([&](trio::Nursery& nursery) {
      start_waiters(nursery, lot, 3, woken);
      CHECK(lot.size() == 3);
      CHECK(!lot.empty());
      CHECK(woken.empty());
      for (int i = 0; i < 3; ++i) {
        CHECK(lot.unpark_one() != nullptr);
        CHECK(lot.size() == static_cast<std::size_t>(2 - i));
        wait_all_tasks_blocked();
      }
    });
    CHECK(woken == std::vector{0, 1, 2});
    CHECK(lot.empty());
  });
}

TEST_CASE("unpark_all wakes everybody, and who parks afterwards waits again [P:23]") {
  run([] {
    ParkingLot lot;
    std::vector<int> woken;
    trio::open_nursery([&](trio::Nursery& nursery) {
      start_waiters(nursery, lot, 3, woken);
      trio::testing::assert_no_checkpoints([&] { lot.unpark_all(); });
      CHECK(lot.empty());
      CHECK(woken.empty());
      start_waiters(nursery, lot, 1, woken);
      CHECK(woken == std::vector{0, 1, 2});
      lot.unpark_all();
    });
    CHECK(woken == std::vector{0, 1, 2, 0});
  });
}

TEST_CASE("unparking an empty lot wakes nobody, and is not remembered [P:23]") {
  run([] {
    ParkingLot lot;
    CHECK(lot.unpark_one() == nullptr);
    lot.unpark_all();
    CHECK(trio::move_on_after(1s, [&] { lot.park(); }).cut_short);
  });
}

TEST_CASE("unpark_one returns the task it wakes") {
  run([] {
    ParkingLot lot;
    trio::open_nursery([&](trio::Nursery& nursery) {
      trio::Task* parked = nullptr;
      nursery.start_soon([&] {
        parked = &current_task();
        lot.park();
      });
      wait_all_tasks_blocked();
      CHECK(lot.unpark_one() == parked);
    });
  });
}

TEST_CASE("unpark wakes as many as asked for, and returns them in order [P:23]") {
  run([] {
    ParkingLot lot;
    std::vector<int> woken;
    trio::open_nursery([&](trio::Nursery& nursery) {
      start_waiters(nursery, lot, 4, woken);
      auto const tasks = nursery.child_tasks();
      CHECK(lot.unpark(0).empty());
      CHECK((lot.unpark(2) == std::vector{tasks[0], tasks[1]}));
      CHECK(lot.statistics().tasks_waiting == 2);
      CHECK((lot.unpark(5) == std::vector{tasks[2], tasks[3]}));
      CHECK(lot.unpark(1).empty());
    });
    CHECK(woken == std::vector{0, 1, 2, 3});
  });
}

TEST_CASE("reparked tasks queue up behind those that are there, in their order [P:150]") {
  run([] {
    ParkingLot from, to;
    std::vector<int> woken;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        to.park();
        woken.push_back(10);
      });
      wait_all_tasks_blocked();
      start_waiters(nursery, from, 4, woken);
      from.repark(to);
      CHECK(from.size() == 3);
      CHECK(to.size() == 2);
      from.repark(to, 2);
      CHECK(from.size() == 1);
      wait_all_tasks_blocked();
      CHECK(woken.empty());
      for (int i = 0; i < 4; ++i) {
        CHECK(to.unpark_one() != nullptr);
        wait_all_tasks_blocked();
      }
      CHECK(woken == std::vector{10, 0, 1, 2});
      from.repark_all(to);
      CHECK(from.empty());
      from.repark(to);
      to.repark(to, 5);
      CHECK(to.unpark(2).size() == 1);
    });
    CHECK(woken == std::vector{10, 0, 1, 2, 3});
  });
}

TEST_CASE("a reparked task leaves its new lot when it is cancelled [P:180]") {
  run([] {
    ParkingLot from, to;
    trio::CancelScope scope;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { support::within(scope, [&] { from.park(); }); });
      wait_all_tasks_blocked();
      from.repark(to);
      scope.cancel();
      CHECK(to.empty());
    });
    CHECK(scope.cancelled_caught());
  });
}

TEST_CASE("a task that is reparked to a broken lot hears of it") {
  run([] {
    ParkingLot from, to;
    to.break_lot();
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { CHECK_THROWS_AS(from.park(), trio::BrokenResourceError); });
      wait_all_tasks_blocked();
      from.repark(to);
    });
    CHECK(!from.is_broken());
  });
}

TEST_CASE("who parks uncancellably waits on, and hears of the cancellation afterwards") {
  run([] {
    ParkingLot lot;
    trio::CancelScope scope;
    bool woken = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        support::within(scope, [&] {
          lot.park_uncancellable();
          woken = true;
          checkpoint();
          FAIL("a Cancelled was due");
        });
      });
      wait_all_tasks_blocked();
      scope.cancel();
      wait_all_tasks_blocked();
      CHECK(lot.size() == 1);
      CHECK(lot.unpark_one() != nullptr);
    });
    CHECK(woken);
    CHECK(scope.cancelled_caught());
  });
}

TEST_CASE("park is a checkpoint, cancelled or not") {
  run([] {
    ParkingLot lot;
    trio::CancelScope scope;
    support::within(scope, [&] {
      scope.cancel();
      CHECK_THROWS_AS(lot.park(), trio::Cancelled);
    });
    CHECK(lot.empty());
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { trio::testing::assert_checkpoints([&] { lot.park(); }); });
      wait_all_tasks_blocked();
      lot.unpark_all();
    });
  });
}

TEST_CASE("a cancelled task leaves the lot, and the others their places [P:115]") {
  run([] {
    ParkingLot lot;
    std::vector<int> woken;
    trio::CancelScope scope;
    trio::open_nursery([&](trio::Nursery& nursery) {
      start_waiters(nursery, lot, 1, woken);
      nursery.start_soon([&] {
        auto const outcome = scope.enter([&] { lot.park(); });
        CHECK(outcome.cut_short);
      });
      wait_all_tasks_blocked();
      start_waiters(nursery, lot, 2, woken);
      CHECK(lot.size() == 4);
      scope.cancel();
      CHECK(lot.size() == 3);
      wait_all_tasks_blocked();
      CHECK(woken.empty());
      for (int i = 0; i < 3; ++i) {
        lot.unpark_one();
        wait_all_tasks_blocked();
      }
    });
    CHECK(woken == std::vector{0, 0, 1});
  });
}

TEST_CASE("a task that was unparked is not cancelled any more where it parked") {
  run([] {
    ParkingLot lot;
    trio::CancelScope scope;
    bool went_on = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        support::within(scope, [&] {
          lot.park();
          went_on = true;
          checkpoint();
          FAIL("a Cancelled was due");
        });
      });
      wait_all_tasks_blocked();
      lot.unpark_one();
      scope.cancel();
    });
    CHECK(went_on);
    CHECK(scope.cancelled_caught());
  });
}

TEST_CASE("breaking a lot throws in who is parked and in who comes later [P:257]") {
  run([] {
    ParkingLot lot;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int i = 0; i < 3; ++i)
        nursery.start_soon([&] { CHECK_THROWS_AS(lot.park(), trio::BrokenResourceError); });
      wait_all_tasks_blocked();
      CHECK(!lot.is_broken());
      lot.break_lot();
      CHECK(lot.is_broken());
      CHECK(lot.empty());
    });
    CHECK_THROWS_AS(lot.park(), trio::BrokenResourceError);
    lot.break_lot();
    CHECK_THROWS_AS(lot.park(), trio::BrokenResourceError);
    CHECK(lot.unpark_one() == nullptr);
  });
}

TEST_CASE("a task unparked before the lot broke does not hear of it") {
  run([] {
    ParkingLot lot;
    std::vector<int> woken;
    trio::open_nursery([&](trio::Nursery& nursery) {
      start_waiters(nursery, lot, 1, woken);
      lot.unpark_one();
      lot.break_lot();
    });
    CHECK(woken == std::vector{0});
  });
}

TEST_CASE("a lot breaks when a task that was made its breaker ends [P:280]") {
  for (bool well : {true, false}) {
    CAPTURE(well);
    run([&] {
      ParkingLot lot;
      trio::Event go;
      bool broken = false;
      try {
        trio::open_nursery([&](trio::Nursery& nursery) {
          nursery.start_soon([&] {
            try {
              trio::shielded([&] { lot.park(); });
            } catch (trio::BrokenResourceError const&) {
              broken = true;
            }
          });
          nursery.start_soon([&] {
            add_parking_lot_breaker(current_task(), lot);
            go.wait();
            if (!well) throw support::KeyError();
          });
          wait_all_tasks_blocked();
          CHECK(!lot.is_broken());
          go.set();
        });
      } catch (trio::ExceptionGroup const&) {
        CHECK(!well);
      }
      CHECK(broken);
      CHECK(lot.is_broken());
    });
  }
}

TEST_CASE("a lot breaks with the first of several breakers [P:305]") {
  run([] {
    ParkingLot lot;
    trio::Event first, second;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (trio::Event* end : {&first, &second})
        nursery.start_soon([&lot, end] {
          add_parking_lot_breaker(current_task(), lot);
          end->wait();
        });
      wait_all_tasks_blocked();
      second.set();
      wait_all_tasks_blocked();
      CHECK(lot.is_broken());
      first.set();
    });
  });
}

TEST_CASE("one task may be the breaker of several lots") {
  run([] {
    std::vector<std::unique_ptr<ParkingLot>> lots;
    for (int i = 0; i < 3; ++i) lots.push_back(std::make_unique<ParkingLot>());
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        for (auto& lot : lots) add_parking_lot_breaker(current_task(), *lot);
        remove_parking_lot_breaker(current_task(), *lots[1]);
      });
    });
    CHECK(lots[0]->is_broken());
    CHECK(!lots[1]->is_broken());
    CHECK(lots[2]->is_broken());
  });
}

TEST_CASE("a task that was removed as a breaker breaks nothing [P:330]") {
  run([] {
    ParkingLot lot;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        add_parking_lot_breaker(current_task(), lot);
        remove_parking_lot_breaker(current_task(), lot);
      });
    });
    CHECK(!lot.is_broken());
  });
}

TEST_CASE("each add needs a remove, and a remove an add [P:330]") {
  run([] {
    ParkingLot lot;
    CHECK_THROWS_AS(remove_parking_lot_breaker(current_task(), lot), trio::MisuseError);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        add_parking_lot_breaker(current_task(), lot);
        add_parking_lot_breaker(current_task(), lot);
        remove_parking_lot_breaker(current_task(), lot);
      });
    });
    CHECK(lot.is_broken());
  });
}

TEST_CASE("a lot that is destroyed wakes who is parked with BrokenResourceError") {
  run([] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      std::optional<ParkingLot> lot(std::in_place);
      for (int i = 0; i < 2; ++i)
        nursery.start_soon([&] { CHECK_THROWS_AS(lot->park(), trio::BrokenResourceError); });
      wait_all_tasks_blocked();
      lot.reset();
      wait_all_tasks_blocked();
    });
  });
}

TEST_CASE("a breaker that outlives its lot leaves alone what stands in its place") {
  run([] {
    std::optional<ParkingLot> lot(std::in_place);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        add_parking_lot_breaker(current_task(), *lot);
        add_parking_lot_breaker(current_task(), *lot);
        lot.emplace();
      });
    });
    CHECK(!lot->is_broken());
  });
}

TEST_CASE("a lot may go before the tasks that were to break it, in any order") {
  run([] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      auto first = std::make_unique<ParkingLot>();
      auto second = std::make_unique<ParkingLot>();
      trio::Event end;
      nursery.start_soon([&] {
        add_parking_lot_breaker(current_task(), *first);
        add_parking_lot_breaker(current_task(), *second);
        end.wait();
      });
      wait_all_tasks_blocked();
      first.reset();
      end.set();
      nursery.join();
      CHECK(second->is_broken());
    });
  });
}

TEST_CASE("parking needs a task") {
  ParkingLot lot;
  CHECK_THROWS_AS(lot.park(), trio::MisuseError);
  CHECK(lot.empty());
}

TEST_CASE("a parked task that is rescheduled by hand is told so, and the lot forgets it") {
  run([] {
    ParkingLot lot;
    std::vector<trio::Task*> tasks;
    support::Log log;
    trio::open_nursery([&](trio::Nursery& nursery) {
      auto const waits = [&](std::string const& name) {
        tasks.push_back(&current_task());
        try {
          lot.park();
          log.push_back(name);
        } catch (trio::MisuseError const&) {
          log.push_back(name + " by hand");
        } catch (support::KeyError const&) {
          log.push_back(name + " with an error");
        }
      };
      for (char const* name : {"first", "second", "third"}) nursery.start_soon(waits, name);
      wait_all_tasks_blocked();
      trio::lowlevel::reschedule(*tasks[0]);
      trio::lowlevel::reschedule(*tasks[1], std::make_exception_ptr(support::KeyError()));
      // Before it runs, as well as afterwards, it is no waiter any more.
      CHECK(lot.unpark_one() == tasks[2]);
      nursery.join();
      CHECK(lot.empty());
      CHECK(lot.size() == 0);
      CHECK(lot.unpark_one() == nullptr);
    });
    CHECK(log == support::Log{"first by hand", "second with an error", "third"});
  });
}

TEST_CASE("a task that is rescheduled by hand is told so though the lot is gone meanwhile") {
  run([] {
    std::optional<ParkingLot> lot(std::in_place);
    trio::open_nursery([&](trio::Nursery& nursery) {
      trio::Task* waiter = nullptr;
      nursery.start_soon([&] {
        waiter = &current_task();
        CHECK_THROWS_AS(lot->park(), trio::MisuseError);
      });
      wait_all_tasks_blocked();
      trio::lowlevel::reschedule(*waiter);
      lot.reset();
    });
  });
}

TEST_CASE("events and locks do not take a task that is rescheduled by hand for served") {
  run([] {
    trio::Event event;
    trio::Lock lock;
    lock.acquire();
    trio::open_nursery([&](trio::Nursery& nursery) {
      trio::Task* waiter = nullptr;
      nursery.start_soon([&] {
        waiter = &current_task();
        CHECK_THROWS_AS(event.wait(), trio::MisuseError);
        CHECK_THROWS_AS(lock.acquire(), trio::MisuseError);
      });
      for (int i = 0; i < 2; ++i) {
        wait_all_tasks_blocked();
        trio::lowlevel::reschedule(*waiter);
      }
      nursery.join();
    });
    CHECK(event.tasks_waiting() == 0);
    CHECK(lock.tasks_waiting() == 0);
    event.set();
    lock.release();
  });
}

TEST_CASE("who is moved into a broken lot is woken, though another cannot be moved") {
  run([] {
    ParkingLot from, broken;
    broken.break_lot();
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { CHECK_THROWS_AS(from.park(), trio::BrokenResourceError); });
      wait_all_tasks_blocked();
      nursery.start_soon([&] { CHECK_THROWS_AS(from.park(), trio::MisuseError); });
      wait_all_tasks_blocked();
      trio::lowlevel::reschedule(*nursery.child_tasks().back());
      from.repark_all(broken);
      CHECK(broken.empty());
      nursery.cancel_scope().cancel();
    });
  });
}
