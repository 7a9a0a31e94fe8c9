// SPDX-License-Identifier: BSL-1.0
#include "runner.hpp"

#include <trio/detail/keep_frame.hpp>
#include <trio/errors.hpp>
#include <trio/lowlevel.hpp>
#include <trio/time.hpp>

#include <memory>

namespace trio {

namespace {

class SystemClock final : public Clock {
 public:
  Time current_time() override { return Time(std::chrono::steady_clock::now().time_since_epoch()); }

  Duration real_time_until(Time deadline) override { return between(current_time(), deadline); }
};

}  // namespace

std::unique_ptr<Clock> make_system_clock() { return std::make_unique<SystemClock>(); }

Time RunClock::now() { return current_time(); }

Time current_time() { return detail::Runner::current().now(); }

void sleep_until(Time deadline) {
  detail::Runner& runner = detail::Runner::of_waiting_task();
  if (deadline <= runner.now())
    runner.checkpoint();
  else if (deadline == never)
    sleep_forever();
  else
    runner.sleep_until(deadline);
  detail::keep_frame();
}

void sleep(Duration length) {
  if (length < std::chrono::nanoseconds(0))
    throw std::invalid_argument("trio: cannot sleep a negative time");
  if (length == std::chrono::nanoseconds(0))
    lowlevel::checkpoint();
  else
    sleep_until(after(current_time(), length));
  detail::keep_frame();
}

void sleep_forever() {
  lowlevel::wait_task_rescheduled(
      [](lowlevel::RaiseCancel const&) { return lowlevel::Abort::succeeded; });
  throw MisuseError("trio: a task in sleep_forever was rescheduled by hand");
}

}  // namespace trio
