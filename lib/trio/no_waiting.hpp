// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace trio::detail {

// Places where a task must not wait: whoever comes to the same place next, in another task, would
// block the thread that the first one needs to get out of it.
class NoWaiting {
 public:
  // Those around the caller, who may have a whole run in there, do not count. For its thread only.
  NoWaiting() noexcept;

  // Throws MisuseError in such a place.
  void check() const {
    if ((*initialisations_ != initialisations_outside_) |
        (*once_callable_ != once_callable_outside_)) [[unlikely]]
      look_closer();
  }

 private:
  // Throws, unless a call_once around the caller was only forgotten: one inside another makes
  // libstdc++ forget the outer.
  void look_closer() const;

  // How many function-local statics the thread is initialising.
  int const* initialisations_;
  int initialisations_outside_;
  // libstdc++'s: what the thread's innermost std::call_once is calling; null outside.
  void* const* once_callable_;
  void const* once_callable_outside_;
};

}  // namespace trio::detail
