// SPDX-License-Identifier: BSL-1.0
#include <trio/detail/write_without_sigpipe.hpp>

#include <cerrno>
#include <ctime>

#include <signal.h>
#include <unistd.h>

namespace trio::detail {

ssize_t write_without_sigpipe(int fd, void const* data, std::size_t size) noexcept {
  sigset_t pipe_signal;
  sigset_t before;
  sigset_t pending;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  // One that somebody else has blocked and waits for is not ours to take.
  bool const was_pending = sigismember(&before, SIGPIPE) == 1 && sigpending(&pending) == 0 &&
                           sigismember(&pending, SIGPIPE) == 1;
  ssize_t const written = write(fd, data, size);
  int const error = errno;
  if (written < 0 && error == EPIPE && !was_pending) {
    timespec const now = {};
    sigtimedwait(&pipe_signal, nullptr, &now);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return written;
}

}  // namespace trio::detail
