// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using support::run;
using trio::Value;
using trio::testing::assert_checkpoints;
using trio::testing::assert_no_checkpoints;
using trio::testing::wait_all_tasks_blocked;

TEST_CASE("a value is what it was set to last") {
  Value<int> value(1);
  CHECK(value.get() == 1);
  value.set(2);
  CHECK(value == 2);
  value = 3;
  CHECK(value == 3);
  value.modify([](int& is) { is *= 2; });
  CHECK(value == 6);
  CHECK(Value<std::string>().get().empty());
}

TEST_CASE("who waits for a value goes on when it is set, all at once") {
  run([] {
    Value<int> value(0);
    std::vector<int> woken;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int wanted : {2, 1, 2})
        nursery.start_soon([&, wanted] { woken.push_back(value.until_equals(wanted)); });
      wait_all_tasks_blocked();
      CHECK(value.statistics().tasks_waiting == 3);
      assert_no_checkpoints([&] { value.set(2); });
      CHECK(value.statistics().tasks_waiting == 1);
      wait_all_tasks_blocked();
      CHECK(woken == std::vector{2, 2});
      value.set(1);
    });
    CHECK(woken == std::vector{2, 2, 1});
  });
}

TEST_CASE("a value that is there only for a moment is not missed") {
  run([] {
    Value<int> value(0);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        CHECK(value.until_matches([](int is) { return is > 4; }) == 5);
        CHECK(value == 0);
      });
      wait_all_tasks_blocked();
      for (int next : {3, 5, 7, 0}) value.set(next);
    });
  });
}

TEST_CASE("a change is from one value to another that differs") {
  run([] {
    Value<std::string> value("a");
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        auto const [before, now] = value.until_changed();
        CHECK(before == "a");
        CHECK(now == "b");
      });
      wait_all_tasks_blocked();
      value.set("a");
      CHECK(value.statistics().tasks_waiting == 1);
      value.set("b");
      CHECK(value.statistics().tasks_waiting == 0);
      value.set("c");
    });
  });
}

TEST_CASE("waiting is a checkpoint even for what is there already") {
  run([] {
    Value<int> value(1);
    assert_checkpoints([&] { CHECK(value.until_equals(1) == 1); });
    trio::CancelScope scope;
    support::within(scope, [&] {
      scope.cancel();
      value.until_equals(1);
      FAIL("a Cancelled was due");
    });
    CHECK(scope.cancelled_caught());
  });
}

TEST_CASE("who is cancelled waits no more; who was woken first was in time") {
  run([] {
    Value<int> value(0);
    CHECK(trio::move_on_after(1s, [&] { value.until_changed(); }).cut_short);
    CHECK(value.statistics().tasks_waiting == 0);
    trio::CancelScope scope;
    trio::open_nursery([&](trio::Nursery& nursery) {
      int seen = 0;
      nursery.start_soon([&] { support::within(scope, [&] { seen = value.until_equals(1); }); });
      wait_all_tasks_blocked();
      value.set(1);
      scope.cancel();
      nursery.join();
      CHECK(seen == 1);
    });
    CHECK(!scope.cancelled_caught());
  });
}

TEST_CASE("a condition that throws, throws where it waits") {
  run([] {
    Value<int> value(0);
    int woken = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        CHECK_THROWS_AS(value.until_matches([](int is) -> bool {
          if (is > 0) throw support::KeyError();
          return false;
        }),
                        support::KeyError);
      });
      nursery.start_soon([&] { woken = value.until_equals(1); });
      wait_all_tasks_blocked();
      value.set(1);
    });
    CHECK(woken == 1);
  });
}

TEST_CASE("a condition may not set the value") {
  run([] {
    Value<int> value(0);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        CHECK_THROWS_AS(value.until_matches([&](int is) {
          if (is > 0) value.set(2);
          return false;
        }),
                        trio::MisuseError);
      });
      wait_all_tasks_blocked();
      value.set(1);
      value.set(3);
    });
    CHECK(value == 3);
  });
}

TEST_CASE("a value that is destroyed wakes who waits with BrokenResourceError") {
  run([] {
    auto value = std::make_unique<Value<int>>(0);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon(
          [&] { CHECK_THROWS_AS(value->until_equals(1), trio::BrokenResourceError); });
      wait_all_tasks_blocked();
      value.reset();
    });
  });
}

TEST_CASE("a task that waits upon a value and is rescheduled by hand is told so") {
  run([] {
    Value<int> value(0);
    trio::Task* waiter = nullptr;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        waiter = &trio::lowlevel::current_task();
        CHECK_THROWS_AS(value.until_equals(1), trio::MisuseError);
      });
      wait_all_tasks_blocked();
      trio::lowlevel::reschedule(*waiter);
    });
    value.set(1);
  });
  CHECK_THROWS_AS(Value<int>(0).until_equals(1), trio::MisuseError);
}

TEST_CASE("a task rescheduled by hand keeps no value from being set, for others, or destroyed") {
  run([] {
    std::optional<trio::Value<int>> value(std::in_place, 0);
    int refused = 0;
    int served = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      // Rescheduled by hand, and in the same pass the value is set, or destroyed.
      auto const start = [&](bool by_hand) {
        trio::Task* waiter = nullptr;
        nursery.start_soon([&] {
          waiter = &trio::lowlevel::current_task();
          if (by_hand) {
            CHECK_THROWS_AS(value->until_equals(1), trio::MisuseError);
            ++refused;
          } else {
            CHECK(value->until_equals(1) == 1);
            ++served;
          }
        });
        wait_all_tasks_blocked();
        return waiter;
      };
      trio::Task* const first = start(true);
      start(false);
      trio::lowlevel::reschedule(*first);
      value->set(1);
      nursery.join();
      CHECK(served == 1);
      CHECK(refused == 1);

      value->set(0);
      trio::Task* const second = start(true);
      trio::lowlevel::reschedule(*second);
      value.reset();
      nursery.join();
      CHECK(refused == 2);
    });
  });
}
