// SPDX-License-Identifier: BSL-1.0
// wait_all_tasks_blocked and Sequencer; the clock and the checkpoint asserts have files of their
// own.
#include "support.hpp"

#include <exception>
#include <string>

using namespace support;
using trio::lowlevel::checkpoint;
using trio::testing::Sequencer;
using trio::testing::wait_all_tasks_blocked;

TEST_CASE("wait_all_tasks_blocked waits until everybody else has blocked [te:22]") {
  run([] {
    Log log;
    trio::open_nursery([&](trio::Nursery& nursery) {
      trio::CancelScope& scope = nursery.cancel_scope();
      nursery.start_soon([&] {
        log.push_back("busy begins");
        for (int i = 0; i < 10; ++i) checkpoint();
        log.push_back("busy ends");
        trio::sleep_forever();
      });
      nursery.start_soon([&] {
        wait_all_tasks_blocked();
        log.push_back("waiter");
        for (int i = 0; i < 10; ++i) checkpoint();
        log.push_back("waiter ends");
      });
      wait_all_tasks_blocked();
      log.push_back("main");
      wait_all_tasks_blocked();
      log.push_back("main again");
      scope.cancel();
    });
    CHECK(log == Log{"busy begins", "busy ends", "main", "waiter", "waiter ends", "main again"});
  });
}

TEST_CASE("wait_all_tasks_blocked alone returns at once") {
  trio::run([] {
    wait_all_tasks_blocked();
    wait_all_tasks_blocked();
  });
}

TEST_CASE("wait_all_tasks_blocked can be cancelled, and leaves nothing behind [te:54]") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      trio::CancelScope scope;
      nursery.start_soon([&] {
        within(scope, [] { wait_all_tasks_blocked(10h); });
        CHECK(scope.cancelled_caught());
      });
      wait_all_tasks_blocked();
      scope.cancel();
      nursery.join();
      trio::sleep(1s);
    });
  });
}

TEST_CASE("who waits with a shorter cushion wakes first, with equal ones together [te:71]") {
  run([] {
    Log log;
    trio::open_nursery([&](trio::Nursery& nursery) {
      auto const waiter = [&](trio::Duration cushion, char const* name) {
        wait_all_tasks_blocked(cushion);
        log.push_back(name);
        checkpoint();
        log.push_back(std::string(name) + " again");
      };
      nursery.start_soon([&] {
        for (int i = 0; i < 3; ++i) checkpoint();
        log.push_back("blink");
      });
      nursery.start_soon(waiter, 3us, "big");
      nursery.start_soon(waiter, 2us, "small");
      nursery.start_soon(waiter, 2us, "small too");
      nursery.start_soon(waiter, 0s, "none");
    });
    CHECK(log == Log{"blink", "none", "none again", "small", "small too", "small again",
                     "small too again", "big", "big again"});
  });
}

TEST_CASE("who waits for all tasks to block, and is rescheduled by hand, is forgotten") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      trio::Task* waiter = nullptr;
      nursery.start_soon([&] {
        waiter = &trio::lowlevel::current_task();
        wait_all_tasks_blocked(10h);
      });
      wait_all_tasks_blocked();
      trio::lowlevel::reschedule(*waiter);
      nursery.join();
      trio::sleep(1s);
    });
  });
}

TEST_CASE("a Sequencer has tasks take turns [te:169]") {
  run([] {
    Log log;
    Sequencer sequencer;
    auto const turns = [&](int first, int second) {
      for (int const turn : {first, second})
        sequencer.enter(turn, [&] { log.push_back(std::to_string(turn)); });
    };
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon(turns, 2, 5);
      nursery.start_soon(turns, 0, 3);
      nursery.start_soon(turns, 1, 4);
    });
    CHECK(log == Log{"0", "1", "2", "3", "4", "5"});
  });
}

TEST_CASE("the next turn of a Sequencer opens when the body of the one before has ended") {
  run([] {
    Log log;
    Sequencer sequencer;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { sequencer.enter(1, [&] { log.push_back("1"); }); });
      sequencer.enter(0, [&] {
        trio::sleep(1s);
        log.push_back("0");
      });
      sequencer.enter(2, [&] { log.push_back("2"); });
      CHECK_THROWS_AS(sequencer.enter(3, [] { throw KeyError(); }), KeyError);
      sequencer.enter(4, [&] { log.push_back("4"); });
    });
    CHECK(log == Log{"0", "1", "2", "4"});
  });
}

TEST_CASE("a turn of a Sequencer can be taken once [te:169]") {
  run([] {
    Sequencer sequencer;
    sequencer.enter(0, [] {});
    CHECK_THROWS_AS(sequencer.enter(0, [] {}), trio::MisuseError);
    sequencer.enter(1, [] {});
  });
}

TEST_CASE("a task cancelled while it waits for its turn breaks the sequence [te:207]") {
  run([] {
    Sequencer sequencer;
    int refused = 0;
    bool main_ran = false;
    auto const refuse = [&](int turn) {
      CHECK_THROWS_AS(sequencer.enter(turn, [] { FAIL("out of turn"); }), trio::MisuseError);
      ++refused;
    };
    trio::open_nursery([&](trio::Nursery& nursery) {
      trio::CancelScope scope;
      sequencer.enter(0, [&] {
        nursery.start_soon(
            [&] { within(scope, [&] { sequencer.enter(1, [] { FAIL("out of turn"); }); }); });
        nursery.start_soon(refuse, 2);
        nursery.start_soon(refuse, 3);
        wait_all_tasks_blocked();
        scope.cancel();
        wait_all_tasks_blocked();
        CHECK(refused == 2);
        main_ran = true;
      });
      nursery.join();
      CHECK(scope.cancelled_caught());
      refuse(4);
    });
    CHECK(main_ran);
    CHECK(refused == 3);
  });
}

TEST_CASE("a task cancelled as it takes the turn that is open breaks the sequence too [te:207]") {
  run([] {
    Sequencer sequencer;
    int refused = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        CHECK_THROWS_AS(sequencer.enter(1, [] { FAIL("out of turn"); }), trio::MisuseError);
        ++refused;
      });
      wait_all_tasks_blocked();
      trio::CancelScope scope;
      within(scope, [&] {
        scope.cancel();
        sequencer.enter(0, [] { FAIL("cancelled"); });
      });
      CHECK(scope.cancelled_caught());
    });
    CHECK(refused == 1);
  });
}
