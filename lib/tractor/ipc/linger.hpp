// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/time.hpp>

#include <algorithm>
#include <chrono>

namespace tractor::ipc {

// A time to linger as ZeroMQ takes it: whole milliseconds, and never for ever.
inline std::chrono::milliseconds bounded_linger(trio::Duration linger) {
  using std::chrono::nanoseconds;
  return std::chrono::ceil<std::chrono::milliseconds>(std::clamp<nanoseconds>(
      linger.nanoseconds(), std::chrono::seconds(0), std::chrono::hours(24)));
}

}  // namespace tractor::ipc
