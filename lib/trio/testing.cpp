// SPDX-License-Identifier: BSL-1.0
#include "runner.hpp"

#include <trio/errors.hpp>
#include <trio/exception_group.hpp>
#include <trio/testing.hpp>

#include <cmath>
#include <stdexcept>
#include <utility>

namespace trio::testing {

MockClock::MockClock(Options options)
    : real_base_(std::chrono::steady_clock::now()),
      rate_(0),
      threshold_(options.autojump_threshold) {
  set_rate(options.rate);
  set_autojump_threshold(options.autojump_threshold);
}

Time MockClock::current_time() {
  if (rate_ == 0) return virtual_base_;
  std::chrono::duration<double, std::nano> const real =
      std::chrono::steady_clock::now() - real_base_;
  return after(virtual_base_, real * rate_);
}

Duration MockClock::real_time_until(Time deadline) {
  Time const present = current_time();
  if (deadline <= present) return std::chrono::nanoseconds(0);
  if (rate_ == 0) return std::chrono::nanoseconds::max();
  return std::chrono::duration<double, std::nano>(deadline - present) / rate_;
}

void MockClock::jump(Duration by) {
  if (by < std::chrono::nanoseconds(0))
    throw std::invalid_argument("trio: a MockClock cannot jump backwards");
  virtual_base_ = after(virtual_base_, by);
}

void MockClock::set_rate(double rate) {
  if (!(rate >= 0) || std::isinf(rate))
    throw std::invalid_argument("trio: the rate of a MockClock must be finite and not negative");
  virtual_base_ = current_time();
  real_base_ = std::chrono::steady_clock::now();
  rate_ = rate;
}

void MockClock::set_autojump_threshold(Duration threshold) {
  if (threshold < std::chrono::nanoseconds(0))
    throw std::invalid_argument("trio: an autojump threshold must not be negative");
  threshold_ = threshold;
}

void wait_all_tasks_blocked(Duration cushion) {
  detail::Runner::of_waiting_task().wait_all_tasks_blocked(cushion);
}

void Sequencer::wait_for_turn(int position) {
  if (!taken_.emplace(position, true).second)
    throw MisuseError("trio: Sequencer: turn " + std::to_string(position) + " is taken twice");
  if (broken_) throw MisuseError("trio: Sequencer: the sequence is broken, a task was cancelled");
  if (position == open_) {
    try {
      lowlevel::checkpoint();
    } catch (...) {
      break_sequence();
      throw;
    }
    return;
  }
  waiting_[position] = &lowlevel::current_task();
  lowlevel::wait_task_rescheduled([&](lowlevel::RaiseCancel const&) {
    waiting_.erase(position);
    break_sequence();
    return lowlevel::Abort::succeeded;
  });
}

void Sequencer::break_sequence() {
  broken_ = true;
  for (auto const& [turn, task] : std::exchange(waiting_, {}))
    lowlevel::reschedule(
        *task, std::make_exception_ptr(
                   MisuseError("trio: Sequencer: the sequence is broken, a task was cancelled")));
}

void Sequencer::open_turn(int position) {
  open_ = position;
  auto const next = waiting_.find(position);
  if (next == waiting_.end()) return;
  Task* task = next->second;
  waiting_.erase(next);
  lowlevel::reschedule(*task);
}

namespace {

// Runs `attempt(ordinal, options)`, in virtual time, for 1, 2, ... until it answers that no such
// point was reached; returns how many were.
std::uint64_t for_every_cancel_point(
    RunOptions options, std::function<bool(std::uint64_t, RunOptions const&)> const& attempt) {
  for (std::uint64_t ordinal = 1;; ++ordinal) {
    MockClock clock = MockClock::autojumping();
    options.clock = &clock;
    try {
      if (!attempt(ordinal, options)) return ordinal - 1;
    } catch (...) {
      std::throw_with_nested(std::runtime_error("disturbed at cancel point " +
                                                std::to_string(ordinal) + ": " +
                                                describe(std::current_exception())));
    }
  }
}

}  // namespace

std::uint64_t cancel_at_every_checkpoint(std::function<void()> scenario, RunOptions options) {
  return for_every_cancel_point(options, [&](std::uint64_t ordinal, RunOptions const& with) {
    CancelScope scope;
    trio::run(with, [&] {
      detail::Runner::current().disturb_at(
          ordinal, [&] { scope.cancel("testing::cancel_at_every_checkpoint"); });
      static_cast<void>(scope.enter(scenario));
    });
    return scope.cancel_called();
  });
}

std::uint64_t interrupt_at_every_checkpoint(std::function<void()> scenario, RunOptions options) {
  return for_every_cancel_point(options, [&](std::uint64_t ordinal, RunOptions const& with) {
    bool interrupted = false;
    bool came_out = false;
    std::exception_ptr error;
    try {
      trio::run(with, [&] {
        detail::Runner& runner = detail::Runner::current();
        runner.disturb_at(ordinal, [&] {
          interrupted = true;
          runner.interrupt();
        });
        scenario();
      });
    } catch (...) {
      error = detail::sieve(std::current_exception(), [&](std::exception_ptr const& leaf) {
        bool const taken = exception_cast<Interrupted>(leaf) != nullptr;
        came_out = came_out || taken;
        return taken;
      });
    }
    if (error) std::rethrow_exception(error);
    if (interrupted && !came_out) throw std::runtime_error("the interrupt was lost");
    return interrupted;
  });
}

}  // namespace trio::testing
