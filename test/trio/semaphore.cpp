// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <memory>
#include <stdexcept>
#include <vector>

#include <doctest/doctest.h>

using support::run;
using trio::Semaphore;
using trio::testing::wait_all_tasks_blocked;

TEST_CASE("a semaphore counts down to zero and waits there [sy:225]") {
  run([] {
    Semaphore semaphore(1);
    CHECK(semaphore.value() == 1);
    CHECK(semaphore.max_value() == trio::unbounded);
    semaphore.release();
    CHECK(semaphore.value() == 2);
    semaphore.acquire_nowait();
    semaphore.acquire();
    CHECK(semaphore.value() == 0);
    CHECK_THROWS_AS(semaphore.acquire_nowait(), trio::WouldBlock);

    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { semaphore.acquire(); });
      wait_all_tasks_blocked();
      CHECK(semaphore.statistics().tasks_waiting == 1);
      semaphore.release();
    });
    CHECK(semaphore.value() == 0);
  });
}

TEST_CASE("a semaphore that is waited for hands over without counting up [sy:264]") {
  run([] {
    Semaphore semaphore(0);
    int inside = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int i = 0; i < 2; ++i)
        nursery.start_soon([&] {
          semaphore.acquire();
          ++inside;
        });
      wait_all_tasks_blocked();
      semaphore.release();
      CHECK(semaphore.value() == 0);
      CHECK(semaphore.statistics().tasks_waiting == 1);
      CHECK_THROWS_AS(semaphore.acquire_nowait(), trio::WouldBlock);
      semaphore.release();
      semaphore.release();
      CHECK(semaphore.value() == 1);
    });
    CHECK(inside == 2);
  });
}

TEST_CASE("a bounded semaphore catches a release too many [sy:252]") {
  run([] {
    Semaphore semaphore(1, 1);
    CHECK(semaphore.max_value() == 1);
    CHECK_THROWS_AS(semaphore.release(), trio::MisuseError);
    CHECK(semaphore.value() == 1);
    semaphore.acquire();
    semaphore.release();
    CHECK(semaphore.value() == 1);
    CHECK_THROWS_AS(Semaphore(2, 1), std::invalid_argument);
  });
}

TEST_CASE("any task may release a semaphore, and code outside of tasks too") {
  Semaphore semaphore(0);
  semaphore.release();
  semaphore.acquire_nowait();
  CHECK_THROWS_AS(semaphore.acquire(), trio::MisuseError);
  run([&] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { semaphore.release(); });
      semaphore.acquire();
    });
  });
  CHECK(semaphore.value() == 0);
}

TEST_CASE("a semaphore that is destroyed wakes who waits with BrokenResourceError") {
  run([] {
    auto semaphore = std::make_unique<Semaphore>(0);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { CHECK_THROWS_AS(semaphore->acquire(), trio::BrokenResourceError); });
      wait_all_tasks_blocked();
      semaphore.reset();
    });
  });
}
