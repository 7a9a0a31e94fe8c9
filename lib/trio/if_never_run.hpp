// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <utility>

namespace trio::detail {

// Part of the function of a task: calls `fn()` when that goes without having been called, as the
// task could not be made or given a stack. For whoever waits for the task's end and would wait for
// ever. `fn` must not throw.
template <class F> class IfNeverRun {
 public:
  explicit IfNeverRun(F fn) : fn_(std::move(fn)) {}

  IfNeverRun(IfNeverRun&& other) noexcept
      : fn_(std::move(other.fn_)), armed_(std::exchange(other.armed_, false)) {}

  IfNeverRun& operator=(IfNeverRun&&) = delete;

  ~IfNeverRun() {
    if (armed_) fn_();
  }

  // First thing in the task.
  void call_off() noexcept { armed_ = false; }

 private:
  F fn_;
  bool armed_ = true;
};

}  // namespace trio::detail
