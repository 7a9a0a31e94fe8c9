// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <string>

namespace trio {

// How a process ended.
struct ExitStatus {
  // The exit code, or the number of the signal.
  int status = 0;
  bool signalled = false;

  bool is_success() const noexcept { return !signalled && status == 0; }

  friend bool operator==(ExitStatus const&, ExitStatus const&) = default;
};

// "exited with 1", "was killed by signal 9 (Killed)", for logs and reports.
std::string describe(ExitStatus const& status);

}  // namespace trio
