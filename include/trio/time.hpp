// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <chrono>
#include <limits>
#include <stdexcept>
#include <type_traits>

namespace trio {

// A length of time, made implicitly from any std::chrono duration. Too long or too short a one
// saturates (so std::chrono::hours::max() means for ever) instead of wrapping around.
class Duration {
 public:
  // Throws std::invalid_argument for a floating-point NaN.
  template <class Rep, class Period> constexpr Duration(std::chrono::duration<Rep, Period> length)
      : value_(saturate(length)) {}

  // A number without a unit is refused with a sentence.
  template <class Number>
    requires std::is_arithmetic_v<Number>
  constexpr Duration(Number) {
    static_assert(std::is_void_v<Number>,
                  "trio: a length of time has a unit: write 5s or 250ms (using namespace "
                  "std::chrono_literals), or std::chrono::seconds(n)");
  }

  constexpr std::chrono::nanoseconds nanoseconds() const noexcept { return value_; }

  friend constexpr auto operator<=>(Duration, Duration) = default;

 private:
  template <class Rep, class Period>
  static constexpr std::chrono::nanoseconds saturate(std::chrono::duration<Rep, Period> length) {
    using std::chrono::nanoseconds;
    if constexpr (std::is_floating_point_v<Rep>) {
      if (length.count() != length.count())
        throw std::invalid_argument("trio: a duration must not be NaN");
    }
    std::chrono::duration<long double, std::nano> const wide = length;
    if (wide >= std::chrono::duration<long double, std::nano>(nanoseconds::max()))
      return nanoseconds::max();
    if (wide <= std::chrono::duration<long double, std::nano>(nanoseconds::min()))
      return nanoseconds::min();
    return std::chrono::duration_cast<nanoseconds>(length);
  }

  std::chrono::nanoseconds value_;
};

// The clock of the current run: trio::Time is a point on it. Real runs use CLOCK_MONOTONIC; a test
// may install another (trio::testing::MockClock), so never mix trio::Time with steady_clock.
struct RunClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<RunClock>;
  static constexpr bool is_steady = true;

  // The same as trio::current_time().
  static time_point now();
};

using Time = RunClock::time_point;

// A deadline that never comes (trio's math.inf).
inline constexpr Time never = Time::max();
// A deadline that has always passed (trio's -math.inf): what current_effective_deadline() says in a
// cancelled scope.
inline constexpr Time expired = Time::min();

// `start` plus `length`, saturating at `never` and `expired`.
constexpr Time after(Time start, Duration length) noexcept {
  auto const from = start.time_since_epoch().count();
  auto const by = length.nanoseconds().count();
  std::chrono::nanoseconds::rep sum = 0;
  if (__builtin_add_overflow(from, by, &sum)) return by > 0 ? never : expired;
  return Time(std::chrono::nanoseconds(sum));
}

// How long it is from `start` to `end`, saturating.
constexpr Duration between(Time start, Time end) noexcept {
  std::chrono::nanoseconds::rep length = 0;
  if (__builtin_sub_overflow(end.time_since_epoch().count(), start.time_since_epoch().count(),
                             &length))
    return end > start ? std::chrono::nanoseconds::max() : std::chrono::nanoseconds::min();
  return std::chrono::nanoseconds(length);
}

// Where a run takes its time from. Called on the run's thread only. Must not throw: the run loop
// asks it too, and what is thrown there ends the process with a sentence. Mirrors trio.abc.Clock.
class Clock {
 public:
  virtual ~Clock() = default;
  // Now, on this clock.
  virtual Time current_time() = 0;
  // How long the run may really sleep, at the most, before `deadline` comes on this clock.
  virtual Duration real_time_until(Time deadline) = 0;

  // How long everything must have been blocked, in real time, before autojump() is called; not
  // negative; nanoseconds::max(): never.
  virtual Duration autojump_threshold() { return std::chrono::nanoseconds::max(); }

  // Called when every task has been blocked for the threshold and the next deadline is due in
  // `until_next_deadline`.
  virtual void autojump(Duration /*until_next_deadline*/) {}
};

// The time on the current run's clock. Not a checkpoint. Throws MisuseError outside a run.
Time current_time();

// Sleep. A checkpoint, always, even for zero. A negative length throws std::invalid_argument.
// Throws MisuseError outside a task or if someone reschedules the task by hand. Mirrors trio.sleep.
void sleep(Duration length);

// Sleep until `deadline` on the run's clock; a checkpoint even if it has passed. Throws MisuseError
// outside a task or if someone reschedules the task by hand. Mirrors trio.sleep_until.
void sleep_until(Time deadline);

// Sleep until cancelled. A checkpoint. Throws MisuseError outside a task or if someone reschedules
// the task by hand. Mirrors trio.sleep_forever.
[[noreturn]] void sleep_forever();

}  // namespace trio
