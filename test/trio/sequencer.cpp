// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using support::run;
using trio::lowlevel::checkpoint;
using trio::testing::Sequencer;
using trio::testing::wait_all_tasks_blocked;

TEST_CASE("a Sequencer makes tasks take turns [te:169]") {
  run([] {
    Sequencer sequencer;
    std::string record;
    trio::open_nursery([&](trio::Nursery& nursery) {
      auto const task = [&](std::vector<int> turns, char name) {
        for (int turn : turns)
          sequencer.enter(turn, [&] {
            record += name;
            record += std::to_string(turn);
            checkpoint();
          });
      };
      nursery.start_soon(task, std::vector{1, 3, 4}, 'b');
      nursery.start_soon(task, std::vector{0, 5}, 'a');
      nursery.start_soon(task, std::vector{2, 6}, 'c');
    });
    CHECK(record == "a0b1c2b3b4a5c6");
  });
}

TEST_CASE("turns are taken in order whichever task comes first") {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    trio::RunOptions options;
    options.shuffle_seed = seed;
    trio::run(options, [] {
      Sequencer sequencer;
      std::vector<int> record;
      trio::open_nursery([&](trio::Nursery& nursery) {
        for (int i = 9; i >= 0; --i)
          nursery.start_soon([&, i] { sequencer.enter(i, [&] { record.push_back(i); }); });
      });
      CHECK(record == std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
    });
  }
}

TEST_CASE("a turn ends when its body fails as well") {
  run([] {
    Sequencer sequencer;
    CHECK_THROWS_AS(sequencer.enter(0, [] { throw support::KeyError(); }), support::KeyError);
    bool second = false;
    sequencer.enter(1, [&] { second = true; });
    CHECK(second);
  });
}

TEST_CASE("a turn may be taken only once [te:169]") {
  run([] {
    Sequencer sequencer;
    sequencer.enter(0, [] {});
    CHECK_THROWS_AS(sequencer.enter(0, [] {}), trio::MisuseError);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { sequencer.enter(2, [] {}); });
      wait_all_tasks_blocked();
      CHECK_THROWS_AS(sequencer.enter(2, [] {}), trio::MisuseError);
      sequencer.enter(1, [] {});
    });
  });
}

TEST_CASE("a task cancelled while it waits for its turn breaks the sequence for all [te:207]") {
  run([] {
    Sequencer sequencer;
    trio::CancelScope scope;
    int broken = 0;
    auto const expect_broken = [&](int turn) {
      CHECK_THROWS_AS(sequencer.enter(turn, [] { FAIL("a turn of a broken sequence"); }),
                      trio::MisuseError);
      ++broken;
    };
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        auto const outcome = scope.enter([&] { sequencer.enter(1, [] {}); });
        CHECK(outcome.cut_short);
      });
      nursery.start_soon(expect_broken, 2);
      nursery.start_soon(expect_broken, 3);
      wait_all_tasks_blocked();
      scope.cancel();
      wait_all_tasks_blocked();
      CHECK(broken == 2);
      // Late comers hear of it too, even for turn 0, which nothing kept from being next.
      expect_broken(4);
      expect_broken(0);
    });
  });
}

TEST_CASE("a task cancelled when its turn has come breaks the sequence as well [te:207]") {
  run([] {
    Sequencer sequencer;
    trio::CancelScope scope;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        CHECK_THROWS_AS(sequencer.enter(1, [] { FAIL("a turn of a broken sequence"); }),
                        trio::MisuseError);
      });
      wait_all_tasks_blocked();
      support::within(scope, [&] {
        scope.cancel();
        CHECK_THROWS_AS(sequencer.enter(0, [] {}), trio::Cancelled);
      });
      trio::sleep(1s);
      CHECK(nursery.child_task_count() == 0);
      nursery.cancel_scope().cancel();
    });
  });
}

TEST_CASE("a task cancelled inside its turn passes the turn on") {
  run([] {
    Sequencer sequencer;
    bool second = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { sequencer.enter(1, [&] { second = true; }); });
      CHECK(trio::move_on_after(1s, [&] {
              sequencer.enter(0, [] { trio::sleep_forever(); });
            }).cut_short);
    });
    CHECK(second);
  });
}
