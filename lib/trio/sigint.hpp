// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/run.hpp>

#include <signal.h>

namespace trio::detail {

class Runner;

// Turns SIGINT into Interrupted in one run's main task, for the run's duration. Leaves a handler
// that somebody else installed alone. One run of the process at a time has it.
class SigintHandler {
 public:
  SigintHandler(Runner& runner, Sigint policy);
  SigintHandler(SigintHandler const&) = delete;
  SigintHandler& operator=(SigintHandler const&) = delete;
  ~SigintHandler();

 private:
  static void on_signal(int signal, siginfo_t* info, void* context);
  static bool is_ours(struct sigaction const& action) noexcept;
  static void handle_by_default() noexcept;

  bool installed_ = false;
};

}  // namespace trio::detail
