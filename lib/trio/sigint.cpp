// SPDX-License-Identifier: BSL-1.0
#include "sigint.hpp"

#include "runner.hpp"

#include <atomic>
#include <cerrno>
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
  if (!is_ours(present) && ((present.sa_flags & SA_SIGINFO) || present.sa_handler != SIG_DFL))
    return;
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
  if (is_ours(present)) handle_by_default();
  owner = nullptr;
  while (handling > 0) std::this_thread::yield();
}

bool SigintHandler::is_ours(struct sigaction const& action) noexcept {
  return (action.sa_flags & SA_SIGINFO) && action.sa_sigaction == on_signal;
}

void SigintHandler::handle_by_default() noexcept {
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  sigaction(SIGINT, &action, nullptr);
}

void SigintHandler::on_signal(int signal, siginfo_t* info, void*) {
  int const error = errno;
  ++handling;
  Runner* const runner = owner;
  // The kernel itself is the sender only when a terminal's user typed ctrl-c.
  if (runner && !(ignore_terminal && info->si_code == SI_KERNEL)) runner->interrupt();
  --handling;
  if (!runner) {
    // The run is over: who had replaced this handler during the run has put it back since.
    handle_by_default();
    raise(signal);
  }
  errno = error;
}

}  // namespace trio::detail
