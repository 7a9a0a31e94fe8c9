// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <sys/eventfd.h>
#include <unistd.h>

using namespace std::chrono_literals;
using trio::lowlevel::checkpoint;
using trio::lowlevel::current_trio_token;
using trio::lowlevel::TrioToken;
using trio::testing::wait_all_tasks_blocked;

TEST_CASE("wait_all_tasks_blocked waits until the others got as far as they can [te:22]") {
  support::run([] {
    std::vector<std::string> record;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        for (int i = 0; i < 10; ++i) checkpoint();
        record.push_back("busy no more");
        trio::sleep_forever();
      });
      nursery.start_soon([&] {
        wait_all_tasks_blocked();
        record.push_back("first waiter");
      });
      nursery.start_soon([&] {
        wait_all_tasks_blocked();
        record.push_back("second waiter");
      });
      wait_all_tasks_blocked();
      record.push_back("main");
      nursery.cancel_scope().cancel();
    });
    REQUIRE(record.size() == 4);
    CHECK(record[0] == "busy no more");
  });
}

TEST_CASE("wait_all_tasks_blocked is a checkpoint and can be cancelled [te:22]") {
  support::run([] {
    trio::testing::assert_checkpoints([] { wait_all_tasks_blocked(); });
    trio::CancelScope scope;
    auto const outcome = scope.enter([&] {
      scope.cancel();
      wait_all_tasks_blocked();
    });
    CHECK(outcome.cut_short);
    // What it left behind does not wake anybody later.
    trio::open_nursery([](trio::Nursery& nursery) {
      trio::CancelScope inner;
      nursery.start_soon([&] { support::within(inner, [] { wait_all_tasks_blocked(24h); }); });
      checkpoint();
      inner.cancel();
      nursery.join();
    });
    wait_all_tasks_blocked();
  });
}

TEST_CASE("tasks with the same cushion wake together, the shortest first [te:54, te:71]") {
  trio::run([] {
    std::vector<std::string> record;
    trio::open_nursery([&](trio::Nursery& nursery) {
      auto const task = [&](trio::Duration cushion, std::string name) {
        wait_all_tasks_blocked(cushion);
        record.push_back(name);
        // Not idle for a while: what is longer must begin to wait anew.
        for (int i = 0; i < 5; ++i) checkpoint();
        record.push_back(name + " done");
      };
      nursery.start_soon(task, 3us, "long");
      nursery.start_soon(task, 1us, "short");
      nursery.start_soon(task, 2us, "middle");
      nursery.start_soon(task, 1us, "short");
      nursery.start_soon(task, 0us, "none");
    });
    CHECK(record == std::vector<std::string>{"none", "none done", "short", "short", "short done",
                                             "short done", "middle", "middle done", "long",
                                             "long done"});
  });
}

TEST_CASE("of one cushion, who is still awake when the others sleep is waited for") {
  support::run([] {
    trio::Event event;
    bool woken = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        event.wait();
        checkpoint();
        woken = true;
      });
      wait_all_tasks_blocked();
      CHECK(!woken);
      event.set();
      wait_all_tasks_blocked();
      CHECK(woken);
    });
  });
}

TEST_CASE("a task with a deadline far away is blocked, one whose deadline is due is not") {
  trio::testing::MockClock clock;
  trio::RunOptions options;
  options.clock = &clock;
  trio::run(options, [&] {
    bool slept = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        trio::sleep(1s);
        slept = true;
      });
      wait_all_tasks_blocked();
      CHECK(!slept);
      clock.jump(1s);
      wait_all_tasks_blocked();
      CHECK(slept);
    });
  });
}

TEST_CASE("a clock that jumps by itself waits for wait_all_tasks_blocked [M:128]") {
  support::run([] {
    auto const start = trio::current_time();
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([] { trio::sleep(1h); });
      wait_all_tasks_blocked();
      CHECK(trio::current_time() == start);
      wait_all_tasks_blocked(10us);
      CHECK(trio::current_time() == start);
    });
    CHECK(trio::current_time() - start == 1h);
  });
}

TEST_CASE("input that arrives ends the idleness") {
  trio::run([] {
    int const fd = eventfd(0, EFD_CLOEXEC);
    std::vector<std::string> record;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        trio::lowlevel::wait_readable(fd);
        record.push_back("input");
      });
      wait_all_tasks_blocked();
      eventfd_write(fd, 1);
      wait_all_tasks_blocked();
      record.push_back("idle");
    });
    CHECK(record == std::vector<std::string>{"input", "idle"});
    close(fd);
  });
}

TEST_CASE("a wake-up from outside is no idleness [G:350]") {
  // Each time that the loop goes to sleep, a thread wakes it, for a while.
  struct Waker : trio::Instrument {
    void before_io_wait(trio::Duration) override {
      if (left == 0) return;
      --left;
      std::thread([token = current_trio_token()] { token.wake(); }).join();
    }

    int left = 20;
  } waker;

  trio::run([&] {
    trio::lowlevel::add_instrument(waker);
    wait_all_tasks_blocked();
    CHECK(waker.left == 0);
    waker.left = 20;
    wait_all_tasks_blocked(1ms);
    CHECK(waker.left == 0);
  });
}

TEST_CASE("wait_all_tasks_blocked needs a task") {
  CHECK_THROWS_AS(wait_all_tasks_blocked(), trio::MisuseError);
}
