// SPDX-License-Identifier: BSL-1.0
// expect: a CancelScope ends at a Time: for a length of time
#include <trio/trio.hpp>

#include <chrono>

void hurry() {
  trio::CancelScope scope(std::chrono::seconds(5));
  static_cast<void>(scope.enter([] {}));
}
