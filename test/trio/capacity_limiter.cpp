// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using support::run;
using trio::CapacityLimiter;
using trio::lowlevel::checkpoint;
using trio::lowlevel::current_task;
using trio::testing::assert_checkpoints;
using trio::testing::assert_no_checkpoints;
using trio::testing::wait_all_tasks_blocked;

TEST_CASE("a limiter lends as many tokens as it has, one to each borrower [sy:50]") {
  run([] {
    CapacityLimiter limiter(2);
    CHECK(limiter.total_tokens() == 2);
    limiter.acquire_nowait();
    CHECK_THROWS_AS(limiter.acquire_nowait(), trio::MisuseError);
    CHECK_THROWS_AS(limiter.acquire(), trio::MisuseError);
    CHECK(limiter.borrowed_tokens() == 1);
    CHECK(limiter.available_tokens() == 1);

    int const other = 0;
    int const third = 0;
    limiter.acquire_on_behalf_of_nowait(&other);
    CHECK(limiter.available_tokens() == 0);
    CHECK_THROWS_AS(limiter.acquire_on_behalf_of_nowait(&other), trio::MisuseError);
    CHECK_THROWS_AS(limiter.acquire_on_behalf_of_nowait(&third), trio::WouldBlock);
    CHECK_THROWS_AS(limiter.release_on_behalf_of(&third), trio::MisuseError);

    auto const now = limiter.statistics();
    CHECK(now.borrowed_tokens == 2);
    CHECK(now.total_tokens == 2);
    CHECK(now.tasks_waiting == 0);
    auto borrowers = now.borrowers;
    std::sort(borrowers.begin(), borrowers.end());
    std::vector<void const*> expected{&current_task(), &other};
    std::sort(expected.begin(), expected.end());
    CHECK((borrowers == expected));

    limiter.release_on_behalf_of(&other);
    limiter.release();
    CHECK_THROWS_AS(limiter.release(), trio::MisuseError);
    CHECK(limiter.borrowed_tokens() == 0);
  });
}

TEST_CASE("a token that comes back goes to whoever waits longest, before it runs [sy:50]") {
  run([] {
    CapacityLimiter limiter(1);
    std::vector<int> order;
    trio::open_nursery([&](trio::Nursery& nursery) {
      limiter.acquire();
      for (int i = 0; i < 3; ++i) {
        nursery.start_soon([&, i] {
          auto const held = limiter.guard();
          order.push_back(i);
          checkpoint();
        });
        wait_all_tasks_blocked();
      }
      CHECK(limiter.statistics().tasks_waiting == 3);
      limiter.release();
      CHECK(limiter.borrowed_tokens() == 1);
      CHECK_THROWS_AS(limiter.acquire_nowait(), trio::WouldBlock);
    });
    CHECK(order == std::vector{0, 1, 2});
    CHECK(limiter.borrowed_tokens() == 0);
  });
}

TEST_CASE("more tokens wake those who wait, less take none away [sy:136]") {
  run([] {
    CapacityLimiter limiter(2);
    trio::Event end;
    int holding = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int i = 0; i < 5; ++i)
        nursery.start_soon([&] {
          auto const held = limiter.guard();
          ++holding;
          end.wait();
        });
      wait_all_tasks_blocked();
      CHECK(holding == 2);
      assert_no_checkpoints([&] { limiter.set_total_tokens(4); });
      CHECK(limiter.borrowed_tokens() == 4);
      wait_all_tasks_blocked();
      CHECK(holding == 4);
      limiter.set_total_tokens(1);
      CHECK(limiter.borrowed_tokens() == 4);
      CHECK(limiter.available_tokens() == 0);
      CHECK(limiter.statistics().tasks_waiting == 1);
      end.set();
      nursery.join();
      CHECK(holding == 5);
    });
    CHECK(limiter.available_tokens() == 1);
  });
}

TEST_CASE(
    "the next token is lent when enough have come back after there were to be less [sy:136]") {
  run([] {
    CapacityLimiter limiter(3);
    std::vector<int> const borrowers{0, 1, 2};
    for (int const& borrower : borrowers) limiter.acquire_on_behalf_of_nowait(&borrower);
    limiter.set_total_tokens(1);
    bool got_it = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        auto const held = limiter.guard();
        got_it = true;
      });
      for (int const& borrower : borrowers) {
        wait_all_tasks_blocked();
        CHECK(!got_it);
        limiter.release_on_behalf_of(&borrower);
      }
    });
    CHECK(got_it);
  });
}

TEST_CASE("a limiter may have no tokens, or no end of them [sy:187]") {
  run([] {
    CapacityLimiter none(0);
    CHECK_THROWS_AS(none.acquire_nowait(), trio::WouldBlock);
    CHECK(trio::move_on_after(1s, [&] { none.acquire(); }).cut_short);
    CHECK(none.statistics().tasks_waiting == 0);

    CapacityLimiter all(trio::unbounded);
    std::vector<int> const borrowers(1000);
    for (int const& borrower : borrowers) all.acquire_on_behalf_of_nowait(&borrower);
    CHECK(all.borrowed_tokens() == 1000);
    CHECK(all.available_tokens() == trio::unbounded);

    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { auto const held = none.guard(); });
      wait_all_tasks_blocked();
      none.set_total_tokens(1);
    });
    CHECK(none.borrowed_tokens() == 0);
  });
}

TEST_CASE("a borrower that waits in vain leaves nothing behind [sy:173]") {
  run([] {
    CapacityLimiter limiter(1);
    int const other = 0;
    limiter.acquire();
    CHECK(trio::move_on_after(1s, [&] { limiter.acquire_on_behalf_of(&other); }).cut_short);
    CHECK(limiter.statistics().tasks_waiting == 0);
    limiter.release();
    CHECK(limiter.borrowed_tokens() == 0);
    limiter.acquire_on_behalf_of_nowait(&other);
    limiter.release_on_behalf_of(&other);
  });
}

TEST_CASE("a borrower may not wait for a second token") {
  run([] {
    CapacityLimiter limiter(1);
    int const other = 0;
    limiter.acquire();
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { limiter.acquire_on_behalf_of(&other); });
      wait_all_tasks_blocked();
      CHECK_THROWS_AS(limiter.acquire_on_behalf_of(&other), trio::MisuseError);
      CHECK_THROWS_AS(limiter.release_on_behalf_of(&other), trio::MisuseError);
      limiter.release();
    });
    CHECK(limiter.statistics().borrowers == std::vector<void const*>{&other});
  });
}

TEST_CASE("a limiter that is destroyed wakes who waits with BrokenResourceError") {
  run([] {
    auto limiter = std::make_unique<CapacityLimiter>(0);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { CHECK_THROWS_AS(limiter->acquire(), trio::BrokenResourceError); });
      wait_all_tasks_blocked();
      limiter.reset();
    });
  });
}

TEST_CASE("a task that waits for a token and is rescheduled by hand has none") {
  run([] {
    CapacityLimiter limiter(0);
    trio::Task* waiter = nullptr;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        waiter = &current_task();
        CHECK_THROWS_AS(limiter.acquire(), trio::MisuseError);
        CHECK_THROWS_AS(limiter.acquire_nowait(), trio::WouldBlock);
      });
      wait_all_tasks_blocked();
      trio::lowlevel::reschedule(*waiter);
    });
    CHECK(limiter.statistics().tasks_waiting == 0);
  });
}

TEST_CASE("borrowing is a checkpoint, what says nowait and giving back never are") {
  run([] {
    CapacityLimiter limiter(1);
    int const other = 0;
    assert_checkpoints([&] { limiter.acquire(); });
    assert_no_checkpoints([&] { limiter.release(); });
    assert_no_checkpoints([&] { limiter.acquire_nowait(); });
    limiter.release();
    assert_checkpoints([&] { limiter.acquire_on_behalf_of(&other); });
    assert_no_checkpoints([&] { limiter.release_on_behalf_of(&other); });
  });
}

TEST_CASE("a limiter lends to tasks only, and on behalf of anybody outside of tasks") {
  CapacityLimiter limiter(1);
  CHECK_THROWS_AS(limiter.acquire(), trio::MisuseError);
  CHECK_THROWS_AS(limiter.acquire_nowait(), trio::MisuseError);
  CHECK_THROWS_AS(limiter.release(), trio::MisuseError);
  int const borrower = 0;
  limiter.acquire_on_behalf_of_nowait(&borrower);
  limiter.release_on_behalf_of(&borrower);
  CHECK(limiter.borrowed_tokens() == 0);
}
