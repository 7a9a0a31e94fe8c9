// SPDX-License-Identifier: BSL-1.0
#include "sigint.hpp"

#include "runner.hpp"

#include <atomic>
#include <thread>

namespace trio::detail {

namespace {

std::atomic<Runner*> owner = nullptr;
std::atomic<bool> ignore_terminal = false;
// Threads that are in the handler: the run that they found must not end meanwhile.
std::atomic<int> handling = 0;

}  // namespace

SigintHandler::SigintHandler(Runner& runner, Sigint policy) {
  if (policy == Sigint::untouched) return;
  struct sigaction present = {};
  sigaction(SIGINT, nullptr, &present);
  if ((present.sa_flags & SA_SIGINFO) || present.sa_handler != SIG_DFL) return;
  Runner* nobody = nullptr;
  if (!owner.compare_exchange_strong(nobody, &runner)) return;
  ignore_terminal = policy == Sigint::interrupts_unless_from_terminal;
  struct sigaction action = {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  installed_ = true;
}

SigintHandler::~SigintHandler() {
  if (!installed_) return;
  struct sigaction present = {};
  sigaction(SIGINT, nullptr, &present);
  if ((present.sa_flags & SA_SIGINFO) && present.sa_sigaction == on_signal) {
    struct sigaction action = {};
    action.sa_handler = SIG_DFL;
    sigaction(SIGINT, &action, nullptr);
  }
  owner = nullptr;
  while (handling > 0) std::this_thread::yield();
}

void SigintHandler::on_signal(int, siginfo_t* info, void*) {
  // The kernel itself is the sender only when a terminal's user typed ctrl-c.
  if (ignore_terminal && info->si_code == SI_KERNEL) return;
  ++handling;
  if (Runner* runner = owner) runner->interrupt();
  --handling;
}

}  // namespace trio::detail
