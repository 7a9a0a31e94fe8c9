// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/cancel_scope.hpp>
#include <trio/error_pattern.hpp>
#include <trio/lowlevel.hpp>
#include <trio/run.hpp>
#include <trio/time.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <type_traits>
#include <utility>

namespace trio::testing {

// A clock that a test moves by hand, or that jumps by itself to the next deadline whenever all
// tasks are blocked, so that hours of timeouts pass in no time. Install it with
// RunOptions::clock. Mirrors trio.testing.MockClock.
class MockClock final : public Clock {
 public:
  struct Options {
    // Virtual seconds per real one.
    double rate = 0;
    // Real time that everything must have been blocked before the clock jumps; 0s: at once,
    // nanoseconds::max(): never.
    Duration autojump_threshold = std::chrono::nanoseconds::max();
  };

  MockClock() : MockClock(Options{}) {}

  // Throws std::invalid_argument for a rate or a threshold that the setters would refuse.
  explicit MockClock(Options options);

  // A clock that jumps at once when all tasks are blocked.
  static MockClock autojumping() {
    return MockClock({.autojump_threshold = std::chrono::seconds(0)});
  }

  Time current_time() override;
  Duration real_time_until(Time deadline) override;

  Duration autojump_threshold() override { return threshold_; }

  void autojump(Duration until_next_deadline) override { jump(until_next_deadline); }

  // Moves on by `by` at once; throws std::invalid_argument if negative.
  void jump(Duration by);
  // Virtual seconds per real one, from now on; throws std::invalid_argument if negative or not
  // finite.
  void set_rate(double rate);
  // Real time that everything must have been blocked before the clock jumps, from the next time on
  // that it is; see Options. Throws std::invalid_argument if negative.
  void set_autojump_threshold(Duration threshold);

 private:
  Time virtual_base_{};
  std::chrono::steady_clock::time_point real_base_;
  double rate_;
  Duration threshold_;
};

// Runs `fn` as trio::run would, on a clock that jumps over every wait.
template <class F> auto run_with_autojump(F&& fn) {
  MockClock clock = MockClock::autojumping();
  RunOptions options;
  options.clock = &clock;
  return trio::run(options, std::forward<F>(fn));
}

// Waits until every other task has been blocked for `cushion` (real time), so that a test knows
// they have got as far as they can. A checkpoint. Tasks that wait with the same cushion wake
// together; the shortest first. Throws std::invalid_argument for a negative cushion, MisuseError
// outside a task. Mirrors trio.testing.wait_all_tasks_blocked.
void wait_all_tasks_blocked(Duration cushion = std::chrono::nanoseconds(0));

// Throws std::logic_error unless `body` executed a full checkpoint (both a schedule point and a
// cancel point). Mirrors trio.testing.assert_checkpoints.
template <class Body> void assert_checkpoints(Body&& body) {
  auto const before = lowlevel::current_checkpoint_counts();
  std::forward<Body>(body)();
  auto const counts = lowlevel::current_checkpoint_counts();
  if (counts.schedule_points == before.schedule_points ||
      counts.cancel_points == before.cancel_points)
    throw std::logic_error("trio: assert_checkpoints: the block executed no full checkpoint");
}

// Throws std::logic_error if `body` executed a checkpoint. Mirrors
// trio.testing.assert_no_checkpoints.
template <class Body> void assert_no_checkpoints(Body&& body) {
  auto const before = lowlevel::current_checkpoint_counts();
  std::forward<Body>(body)();
  auto const counts = lowlevel::current_checkpoint_counts();
  if (counts.schedule_points != before.schedule_points ||
      counts.cancel_points != before.cancel_points)
    throw std::logic_error("trio: assert_no_checkpoints: the block executed a checkpoint");
}

// Makes tasks take turns: whoever calls enter(n) goes on after 0 to n-1 have left. Mirrors
// trio.testing.Sequencer.
class Sequencer {
 public:
  // Waits for turn `position` (each may be taken once), runs `body`, and opens the next turn. If a
  // task is cancelled while it waits, everybody who waits or comes later gets MisuseError.
  template <class Body> void enter(int position, Body&& body) {
    wait_for_turn(position);

    struct Turn {
      Sequencer& sequencer;
      int next;

      ~Turn() { sequencer.open_turn(next); }
    } turn{*this, position + 1};

    std::forward<Body>(body)();
  }

 private:
  void wait_for_turn(int position);
  void open_turn(int position);
  // A turn will never be taken: throws in everybody who waits.
  void break_sequence();

  std::map<int, Task*> waiting_;
  std::map<int, bool> taken_;
  int open_ = 0;
  bool broken_ = false;
};

// Runs `scenario` over and over, each in a run and a scope of its own, cancelling that scope at the
// first cancel point, then at the second, ... until a run comes to its end uncancelled. Finds the
// operation that hangs, leaks or terminates when cancelled just there. What else the scenario
// throws is thrown on, nested in a std::runtime_error that tells the number of the cancel point.
// Returns how many points were tried. Brings its own clock, which jumps (options.clock is ignored).
// Outside of runs only.
std::uint64_t cancel_at_every_checkpoint(std::function<void()> scenario, RunOptions options = {});

// The same with a SIGINT at each of the points, whatever RunOptions::sigint says; no signal is
// sent. The scenario is the main task itself; Interrupted, alone or in groups, is what it may throw
// and, once interrupted, must.
std::uint64_t interrupt_at_every_checkpoint(std::function<void()> scenario,
                                            RunOptions options = {});

}  // namespace trio::testing
