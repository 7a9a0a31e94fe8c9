// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <chrono>
#include <cmath>
#include <cstdint>
#include <exception>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace support;
using trio::after;
using trio::current_time;
using trio::Duration;
using trio::Time;
using trio::lowlevel::checkpoint;
using trio::testing::MockClock;
using trio::testing::wait_all_tasks_blocked;

namespace {

constexpr auto longest = std::chrono::nanoseconds::max();

Time at(Duration length) { return after(Time(), length); }

// Notes which deadline the run asked about, and stands still.
class StoppedClock final : public trio::Clock {
 public:
  Time current_time() override { return now; }

  Duration real_time_until(Time deadline) override {
    asked_for = deadline;
    return 1h;
  }

  Time now = at(100s);
  std::optional<Time> asked_for;
};

}  // namespace

TEST_CASE("a duration saturates where it does not fit into nanoseconds") {
  CHECK(Duration(std::chrono::hours::max()).nanoseconds() == longest);
  CHECK(Duration(std::chrono::hours::min()).nanoseconds() == std::chrono::nanoseconds::min());
  CHECK(Duration(std::chrono::duration<double>(1e300)).nanoseconds() == longest);
  CHECK(Duration(std::chrono::duration<double>(-1e300)).nanoseconds() ==
        std::chrono::nanoseconds::min());
  CHECK(Duration(std::chrono::duration<double>(0.5)).nanoseconds() == 500ms);
  CHECK(Duration(longest).nanoseconds() == longest);
  CHECK(Duration(2s) > Duration(1999ms));
}

TEST_CASE("a duration that is not a number is refused [R:373, ti:179]") {
  auto const nan = std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN());
  CHECK_THROWS_AS(static_cast<void>(Duration(nan)), std::invalid_argument);
  CHECK_THROWS_AS(static_cast<void>(trio::CancelScope::after(nan)), std::invalid_argument);
  run([&] { CHECK_THROWS_AS(trio::sleep(nan), std::invalid_argument); });
}

TEST_CASE("a time in the far future is never, in the far past expired") {
  CHECK(after(at(1s), longest) == trio::never);
  CHECK(after(trio::never, 1s) == trio::never);
  CHECK(after(trio::expired, -1s) == trio::expired);
  CHECK(after(at(2s), -1s) == at(1s));
}

TEST_CASE("sleep() takes its time") {
  run([] {
    trio::sleep(1h);
    CHECK(current_time() == at(1h));
    trio::sleep(1ns);
    CHECK(current_time() == at(1h + 1ns));
    trio::sleep(std::chrono::hours(24 * 365 * 100));
    CHECK(current_time() == at(1h + 1ns + std::chrono::hours(24 * 365 * 100)));
  });
}

TEST_CASE("sleep_until() wakes at its time") {
  run([] {
    trio::sleep_until(at(3s));
    CHECK(current_time() == at(3s));
    trio::sleep_until(at(2s));
    CHECK(current_time() == at(3s));
  });
}

TEST_CASE("RunClock::now() is the time of the run") {
  run([] {
    trio::sleep(3s);
    CHECK(trio::RunClock::now() == current_time());
  });
}

TEST_CASE("sleeping no time, or until a time that has passed, is a full checkpoint") {
  run([] {
    trio::testing::assert_checkpoints([] { trio::sleep(0s); });
    trio::testing::assert_checkpoints([] { trio::sleep_until(current_time()); });
    trio::testing::assert_checkpoints([] { trio::sleep_until(trio::expired); });
    trio::testing::assert_checkpoints([] { trio::sleep(1ns); });
    trio::CancelScope scope;
    within(scope, [&] {
      scope.cancel();
      CHECK_THROWS_AS(trio::sleep(0s), trio::Cancelled);
      CHECK_THROWS_AS(trio::sleep_until(trio::expired), trio::Cancelled);
    });
  });
}

TEST_CASE("sleeping a negative time is refused") {
  run([] { CHECK_THROWS_AS(trio::sleep(-1ns), std::invalid_argument); });
}

TEST_CASE("a sleep without end sleeps until it is cancelled") {
  run([] {
    for (int way = 0; way < 3; ++way) {
      auto const outcome = trio::move_on_after(1s, [way] {
        if (way == 0) trio::sleep_forever();
        if (way == 1) trio::sleep(longest);
        trio::sleep_until(trio::never);
      });
      CHECK(outcome.cut_short);
    }
    CHECK(current_time() == at(3s));
  });
}

TEST_CASE("sleepers that are rescheduled by hand are told so [ti:94]") {
  run([] {
    auto const sleeps = [](auto sleep) {
      trio::open_nursery([&](trio::Nursery& nursery) {
        trio::Task* sleeper = nullptr;
        nursery.start_soon([&] {
          sleeper = &trio::lowlevel::current_task();
          CHECK_THROWS_AS(sleep(), trio::MisuseError);
        });
        wait_all_tasks_blocked();
        trio::lowlevel::reschedule(*sleeper);
        nursery.join();
      });
    };
    sleeps([] { trio::sleep_forever(); });
    sleeps([] { trio::sleep(1s); });
    // What had been waited for has been forgotten.
    CHECK(trio::lowlevel::current_statistics().deadlines == 0);
    trio::sleep(10s);
  });
}

TEST_CASE("a sleeper that is given an error by hand throws it and leaves nothing behind") {
  run([] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      trio::Task* sleeper = nullptr;
      nursery.start_soon([&] {
        sleeper = &trio::lowlevel::current_task();
        CHECK_THROWS_AS(trio::sleep(1s), KeyError);
      });
      wait_all_tasks_blocked();
      trio::lowlevel::reschedule(*sleeper, std::make_exception_ptr(KeyError()));
      nursery.join();
      CHECK(trio::lowlevel::current_statistics().deadlines == 0);
      trio::sleep(10s);
    });
  });
}

TEST_CASE("sleepers wake in the order of their deadlines, of equal ones who came first") {
  run([] {
    std::vector<int> log;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int const seconds : {5, 1, 4, 2, 3, 2, 1})
        nursery.start_soon([&log, seconds] {
          trio::sleep(std::chrono::seconds(seconds));
          log.push_back(seconds);
        });
    });
    CHECK(log == std::vector{1, 1, 2, 2, 3, 4, 5});
  });
}

TEST_CASE("sleepers that are overdue together wake in the order of their deadlines") {
  run([](MockClock& clock) {
    Log log;
    trio::open_nursery([&](trio::Nursery& nursery) {
      auto const sleeper = [&](Duration length, char const* name) {
        trio::sleep(length);
        log.push_back(name);
      };
      nursery.start_soon(sleeper, 3s, "3");
      nursery.start_soon(sleeper, 1s, "1");
      nursery.start_soon(sleeper, 2s, "2a");
      nursery.start_soon(sleeper, 2s, "2b");
      wait_all_tasks_blocked();
      clock.jump(10s);
    });
    CHECK(log == Log{"1", "2a", "2b", "3"});
  });
}

TEST_CASE("many deadlines expire each at its time, whatever order they were set and unset in") {
  run([] {
    std::uint64_t random = 1;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int i = 0; i < 1000; ++i) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        auto const length = std::chrono::milliseconds(2 + (random >> 52));
        bool const is_cancelled = (random >> 40) % 3 == 0;
        nursery.start_soon([length, is_cancelled] {
          auto const timeout = is_cancelled ? length / 2 : length * 2;
          auto const outcome = trio::move_on_after(timeout, [&] { trio::sleep(length); });
          CHECK(outcome.cut_short == is_cancelled);
          CHECK(current_time() == at(std::min(length, timeout)));
        });
      }
    });
    CHECK(trio::lowlevel::current_statistics().deadlines == 0);
  });
}

TEST_CASE("a deadline that passes cancels the scope, and one after its end does not [R:606]") {
  run([](MockClock& clock) {
    trio::CancelScope in_time;
    within(in_time, [&] {
      CHECK(in_time.deadline() == trio::never);
      in_time.set_deadline(at(1s));
      CHECK(in_time.deadline() == at(1s));
    });
    CHECK_FALSE(in_time.cancel_called());
    clock.jump(2s);
    for (int i = 0; i < 3; ++i) checkpoint();
    CHECK_FALSE(in_time.cancel_called());

    trio::CancelScope late(at(3s));
    within(late, [&] {
      clock.jump(2s);
      trio::sleep_forever();
    });
    CHECK(late.cancel_called());
    CHECK(late.cancelled_caught());
  });
}

TEST_CASE("a deadline can be moved both ways while the scope is open [R:606]") {
  run([](MockClock& clock) {
    trio::CancelScope scope;
    within(scope, [&] {
      checkpoint();
      scope.set_deadline(at(10s));
      checkpoint();
      clock.jump(5s);
      checkpoint();
      scope.set_deadline(at(1s));
      CHECK_THROWS_AS(checkpoint(), trio::Cancelled);
      CHECK_THROWS_AS(checkpoint(), trio::Cancelled);
    });
    auto const outcome = trio::CancelScope(at(6s)).enter([](trio::CancelScope& put_off) {
      put_off.set_deadline(at(20s));
      trio::sleep_until(at(15s));
      put_off.set_deadline(trio::never);
      trio::sleep_until(at(30s));
    });
    CHECK_FALSE(outcome.cut_short);
  });
}

TEST_CASE("a deadline that has passed at the entry cancels at the first checkpoint") {
  run([] {
    trio::sleep(1s);
    for (Time const past : {at(1s), at(0s), at(-5s), trio::expired}) {
      trio::CancelScope scope(past);
      bool entered = false;
      within(scope, [&] {
        entered = true;
        checkpoint();
      });
      CHECK(entered);
      CHECK(scope.cancelled_caught());
    }
  });
}

TEST_CASE("cancel_called() turns true with the deadline, and back for nothing [R:373]") {
  run([](MockClock& clock) {
    trio::CancelScope open(at(1s));
    trio::CancelScope ended(at(1s));
    trio::CancelScope unentered(at(1s));
    within(ended, [] {});
    within(open, [&] {
      CHECK_FALSE(open.cancel_called());
      CHECK_FALSE(unentered.cancel_called());
      clock.jump(1s);
      CHECK(open.cancel_called());
      open.set_deadline(trio::never);
      CHECK(open.cancel_called());
    });
    CHECK_FALSE(ended.cancel_called());
    CHECK(unentered.cancel_called());
    unentered.set_deadline(trio::never);
    CHECK(unentered.cancel_called());
    within(unentered, [] { CHECK_THROWS_AS(checkpoint(), trio::Cancelled); });
  });
}

TEST_CASE("outside of a run no deadline passes") {
  trio::CancelScope scope(trio::expired);
  CHECK_FALSE(scope.cancel_called());
}

TEST_CASE("a deadline that has passed by now is seen at the next checkpoint [R:1185]") {
  run([](MockClock& clock) {
    auto scope = trio::CancelScope::after(5s);
    within(scope, [&] {
      checkpoint();
      clock.jump(10s);
      CHECK_THROWS_AS(checkpoint(), trio::Cancelled);
    });
  });
}

TEST_CASE("a deadline moved into the past cancels, on the real clock as well") {
  trio::run([] {
    trio::CancelScope scope;
    within(scope, [&] {
      scope.set_deadline(trio::expired);
      CHECK(trio::lowlevel::current_statistics().until_next_deadline <= Duration(0s));
      trio::sleep_forever();
    });
    CHECK(scope.cancelled_caught());
    trio::CancelScope zero;
    within(zero, [&] {
      zero.set_deadline(Time());
      trio::sleep_forever();
    });
    CHECK(zero.cancelled_caught());
  });
}

TEST_CASE("a scope keeps one entry among the deadlines, however often it moves [R:2590]") {
  run([] {
    auto const deadlines = [] { return trio::lowlevel::current_statistics().deadlines; };
    trio::CancelScope scope;
    within(scope, [&] {
      CHECK(deadlines() == 0);
      for (int i = 1; i <= 5000; ++i) {
        scope.set_deadline(at(std::chrono::seconds(i)));
        CHECK(deadlines() == 1);
      }
      scope.set_deadline(trio::never);
      CHECK(deadlines() == 0);
      scope.set_deadline(at(1s));
      scope.cancel();
      CHECK(deadlines() == 0);
    });
    within(*std::make_unique<trio::CancelScope>(at(9s)), [&] { CHECK(deadlines() == 1); });
    CHECK(deadlines() == 0);
  });
}

TEST_CASE("only open, uncancelled scopes stand among the deadlines") {
  run([] {
    auto const deadlines = [] { return trio::lowlevel::current_statistics().deadlines; };
    trio::CancelScope unentered(at(5s));
    CHECK(deadlines() == 0);
    trio::CancelScope cancelled(at(5s));
    cancelled.cancel();
    within(cancelled, [&] { CHECK(deadlines() == 0); });
    auto const error = thrown_by([&] { within(unentered, [] { throw KeyError(); }); });
    CHECK(matches(error, of<KeyError>()));
    CHECK(deadlines() == 0);
  });
}

TEST_CASE("move_on_after() and move_on_at() go on when it is time") {
  run([] {
    CHECK(trio::move_on_after(2s, [] { trio::sleep_forever(); }).cut_short);
    CHECK(current_time() == at(2s));
    CHECK(trio::move_on_at(at(5s), [] { trio::sleep_forever(); }).cut_short);
    CHECK(current_time() == at(5s));
    auto const in_time = trio::move_on_after(2s, [] {
      trio::sleep(1s);
      return 7;
    });
    REQUIRE(in_time);
    CHECK(in_time.value == 7);
  });
}

TEST_CASE("fail_after() and fail_at() throw TooSlowError when it is time, else hand on the value") {
  run([] {
    CHECK_THROWS_AS(trio::fail_after(2s, [] { trio::sleep_forever(); }), trio::TooSlowError);
    CHECK(current_time() == at(2s));
    CHECK_THROWS_AS(trio::fail_at(at(5s), [] { trio::sleep_forever(); }), trio::TooSlowError);
    CHECK(current_time() == at(5s));
    CHECK(trio::fail_after(2s, [] {
            trio::sleep(1s);
            return 7;
          }) == 7);
    trio::fail_after(2s, [] {});
  });
}

TEST_CASE("fail_after() is not too slow if the body swallows the Cancelled or is done") {
  run([](MockClock& clock) {
    trio::fail_after(2s, [] { CHECK_THROWS_AS(trio::sleep_forever(), trio::Cancelled); });
    trio::fail_after(2s, [&] { clock.jump(5s); });
  });
}

TEST_CASE("fail_after() in a scope that is cancelled from outside leaves that one its Cancelled") {
  run([] {
    trio::CancelScope outer;
    within(outer, [&] {
      outer.cancel();
      trio::fail_after(1s, [] { trio::sleep_forever(); });
    });
    CHECK(outer.cancelled_caught());
  });
}

TEST_CASE("a negative timeout is refused, a timeout of no time is not") {
  run([] {
    CHECK_THROWS_AS(trio::move_on_after(-1ns, [] {}), std::invalid_argument);
    CHECK_THROWS_AS(trio::fail_after(-1ns, [] {}), std::invalid_argument);
    CHECK(trio::move_on_after(0s, [] { checkpoint(); }).cut_short);
  });
}

TEST_CASE("a timeout with a shield hears nothing from outside and still ends [ti:113, ti:126]") {
  run([] {
    trio::CancelScope outer;
    auto inner = trio::CancelScope::after(3s, true);
    within(outer, [&] {
      outer.cancel();
      within(inner, [&] {
        CHECK_NOTHROW(checkpoint());
        inner.set_shield(false);
        CHECK_THROWS_AS(checkpoint(), trio::Cancelled);
        inner.set_shield(true);
        trio::sleep_forever();
      });
    });
    CHECK(inner.cancelled_caught());
    CHECK(current_time() == at(3s));
  });
}

TEST_CASE("fail_after() behind a shield is too slow in a scope that is cancelled, too [ti:138]") {
  run([] {
    trio::CancelScope outer;
    within(outer, [&] {
      outer.cancel();
      CHECK_THROWS_AS(trio::shielded([] { trio::fail_after(3s, [] { trio::sleep_forever(); }); }),
                      trio::TooSlowError);
      CHECK(current_time() == at(3s));
    });
    CHECK_FALSE(outer.cancelled_caught());
  });
}

TEST_CASE("a timeout counts from the entry of its scope, not from its making [ti:212]") {
  run([](MockClock& clock) {
    auto scope = trio::CancelScope::after(5s);
    CHECK(scope.is_relative());
    clock.jump(3s);
    within(scope, [&] {
      CHECK_FALSE(scope.is_relative());
      CHECK(scope.deadline() == at(8s));
      trio::sleep_forever();
    });
    CHECK(current_time() == at(8s));
  });
}

TEST_CASE("a scope made with a timeout has no deadline before it is entered [ti:246]") {
  auto scope = trio::CancelScope::after(5s);
  CHECK(scope.is_relative());
  CHECK_THROWS_AS(static_cast<void>(scope.deadline()), trio::MisuseError);
  CHECK_FALSE(scope.shield());
  scope.set_shield(true);
  CHECK(scope.shield());
  scope.set_deadline(at(2s));
  CHECK_FALSE(scope.is_relative());
  CHECK(scope.deadline() == at(2s));
  run([&] {
    within(scope, [] { trio::sleep_forever(); });
    CHECK(current_time() == at(2s));
  });
}

TEST_CASE("an endless timeout never comes") {
  run([] {
    auto scope = trio::CancelScope::after(longest);
    within(scope, [&] {
      CHECK(scope.deadline() == trio::never);
      trio::sleep(1h);
    });
    CHECK_FALSE(scope.cancel_called());
  });
}

TEST_CASE("a deadline that comes while its body sleeps until the same moment wins") {
  run([] {
    CHECK(trio::move_on_after(1s, [] { trio::sleep(1s); }).cut_short);
    trio::open_nursery([](trio::Nursery& nursery) {
      // The sleeper was there first.
      Time const soon = after(current_time(), 1s);
      auto scope = std::make_shared<trio::CancelScope>();
      nursery.start_soon([=] {
        within(*scope, [=] { trio::sleep_until(soon); });
        CHECK(scope->cancelled_caught());
      });
      wait_all_tasks_blocked();
      scope->set_deadline(soon);
    });
  });
}

TEST_CASE("a mock clock stands still until it is moved [M:15]") {
  MockClock clock;
  CHECK(clock.current_time() == Time());
  clock.jump(1200ms);
  CHECK(clock.current_time() == at(1200ms));
  CHECK_THROWS_AS(clock.jump(-1s), std::invalid_argument);
  CHECK(clock.current_time() == at(1200ms));
  CHECK(clock.real_time_until(at(1100ms)) == Duration(0s));
  CHECK(clock.real_time_until(at(1200ms)) == Duration(0s));
  CHECK(clock.real_time_until(at(1300ms)) == Duration(longest));
  CHECK(clock.real_time_until(trio::expired) == Duration(0s));
  CHECK(clock.autojump_threshold() == Duration(longest));
}

TEST_CASE("a mock clock may run at a rate of its own [M:15]") {
  MockClock clock;
  clock.jump(1s);
  CHECK_THROWS_AS(clock.set_rate(-1), std::invalid_argument);
  CHECK_THROWS_AS(clock.set_rate(std::nan("")), std::invalid_argument);
  CHECK_THROWS_AS(clock.set_rate(std::numeric_limits<double>::infinity()), std::invalid_argument);
  CHECK(clock.real_time_until(at(2s)) == Duration(longest));
  clock.set_rate(1e-3);
  // A thousandth of real time: as good as still, and never backwards.
  Time const before = clock.current_time();
  CHECK(before >= at(1s));
  CHECK(before < at(2s));
  CHECK(clock.real_time_until(at(2s)) > Duration(900s));
  CHECK(clock.real_time_until(at(2s)) <= Duration(1000s));
  CHECK(clock.real_time_until(trio::never) > Duration(1000s));
  CHECK(clock.real_time_until(at(500ms)) == Duration(0s));
  clock.jump(10s);
  CHECK(clock.current_time() >= at(11s));
  clock.set_rate(0);
  Time const stopped = clock.current_time();
  CHECK(stopped >= at(11s));
  CHECK(clock.current_time() == stopped);
}

TEST_CASE("a mock clock that runs wakes sleepers by itself") {
  MockClock clock({.rate = 1e9});
  trio::RunOptions options;
  options.clock = &clock;
  trio::run(options, [] { trio::sleep(1h); });
  CHECK(clock.current_time() >= at(1h));
}

TEST_CASE("an autojumping clock passes over waits, to the next deadline exactly [M:59]") {
  run([] {
    Time expected = current_time();
    for (int i = 0; i < 10; ++i) {
      trio::sleep(10s * i);
      expected += 10s * i;
      CHECK(current_time() == expected);
    }
  });
}

TEST_CASE("a new autojump threshold takes effect at once [M:59]") {
  MockClock clock;
  trio::RunOptions options;
  options.clock = &clock;
  trio::run(options, [&] {
    clock.set_autojump_threshold(10h);
    Time const before = current_time();
    wait_all_tasks_blocked();
    CHECK(current_time() == before);
    clock.set_autojump_threshold(0s);
    trio::sleep(std::chrono::hours(100));
    CHECK(current_time() == at(std::chrono::hours(100)));
  });
}

TEST_CASE("a negative autojump threshold is refused") {
  CHECK_THROWS_AS(MockClock({.autojump_threshold = -1ns}), std::invalid_argument);
  MockClock clock;
  CHECK_THROWS_AS(clock.set_autojump_threshold(-1s), std::invalid_argument);
  CHECK(clock.autojump_threshold() == Duration(longest));
}

TEST_CASE("the threshold of a clock that is not installed means nothing") {
  MockClock other;
  run([&] {
    other.set_autojump_threshold(1ns);
    trio::sleep(5s);
    CHECK(other.current_time() == Time());
  });
}

TEST_CASE("waiting for all tasks to block comes before a jump of the clock [M:128]") {
  for (Duration const cushion : {Duration(0s), Duration(100us)}) {
    run([cushion] {
      Log log;
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([&] {
          trio::sleep(10s);
          log.push_back("yawn");
        });
        nursery.start_soon([&] {
          wait_all_tasks_blocked(cushion);
          CHECK(current_time() == Time());
          log.push_back("all blocked");
          trio::sleep(1000s);
          log.push_back("done");
        });
      });
      CHECK(log == Log{"all blocked", "yawn", "done"});
    });
  }
}

TEST_CASE("a run takes its time from the clock it is given") {
  StoppedClock clock;
  trio::RunOptions options;
  options.clock = &clock;
  trio::run(options, [&] {
    CHECK(current_time() == at(100s));
    trio::open_nursery([&](trio::Nursery& nursery) {
      auto scope = std::make_shared<trio::CancelScope>(at(150s));
      nursery.start_soon([=] { within(*scope, [] { trio::sleep_forever(); }); });
      wait_all_tasks_blocked();
      CHECK_FALSE(scope->cancel_called());
      clock.now = at(200s);
      CHECK(scope->cancel_called());
    });
    CHECK(clock.asked_for == at(150s));
  });
}

TEST_CASE("time does not go backwards on the real clock, and needs no clock to be given") {
  trio::run([] {
    Time const before = current_time();
    checkpoint();
    CHECK(current_time() >= before);
    CHECK(trio::move_on_at(before, [] { trio::sleep_forever(); }).cut_short);
  });
}
