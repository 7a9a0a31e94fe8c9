// SPDX-License-Identifier: BSL-1.0
#include "quiet_thread.hpp"

#include <system_error>
#include <utility>

#include <signal.h>

namespace tractor::ipc {

namespace {

class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }

  SignalsBlocked(SignalsBlocked const&) = delete;
  SignalsBlocked& operator=(SignalsBlocked const&) = delete;

  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

std::thread quiet_thread(std::function<void()> body) {
  SignalsBlocked const in_the_new_thread;
  try {
    return std::thread(std::move(body));
  } catch (std::system_error const& error) {
    throw std::system_error(error.code(),
                            "tractor: cannot start a thread for links with other actors");
  }
}

}  // namespace tractor::ipc
