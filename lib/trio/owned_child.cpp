// SPDX-License-Identifier: BSL-1.0
#include <trio/detail/keep_frame.hpp>
#include <trio/io.hpp>
#include <trio/lowlevel.hpp>
#include <trio/owned_child.hpp>
#include <trio/time.hpp>

#include <cerrno>
#include <chrono>
#include <utility>

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace trio::lowlevel {

namespace {

constexpr std::chrono::milliseconds retry_interval(50);

}  // namespace

OwnedChild::OwnedChild(pid_t pid, Descriptor pidfd) noexcept
    : pid_(pid), pidfd_(std::move(pidfd)) {}

OwnedChild::~OwnedChild() { end(); }

void OwnedChild::end() noexcept {
  signal(SIGKILL);
  while (!reaped_) look(0);
}

std::optional<ExitStatus> OwnedChild::wait() {
  wait_for_end();
  static_cast<void>(is_reaped());
  detail::keep_frame();
  return status_;
}

std::optional<ExitStatus> OwnedChild::wait_for_end() {
  auto const turn = waiting_.guard();
  if (!has_ended()) wait_readable(pidfd_.get());
  // It has ended, but a debugger may still hold what is left of it.
  while (!has_ended()) sleep(retry_interval);
  detail::keep_frame();
  return status_;
}

bool OwnedChild::has_ended() noexcept {
  if (!ended_) look(WNOHANG | WNOWAIT);
  return ended_;
}

bool OwnedChild::is_reaped() noexcept {
  look(WNOHANG);
  return reaped_;
}

void OwnedChild::signal(int number) noexcept {
  // By descriptor: the number may have been given to another process since.
  if (!reaped_) syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
}

void OwnedChild::look(int flags) noexcept {
  if (reaped_) return;
  siginfo_t info = {};
  int const result = waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd_.get()), &info,
                            WEXITED | flags);
  if (result == 0 && info.si_pid == 0) return;
  bool const gone = result < 0;
  if (gone && errno == EINTR) return;
  if (!gone) status_ = ExitStatus{info.si_status, info.si_code != CLD_EXITED};
  ended_ = true;
  reaped_ = gone || (flags & WNOWAIT) == 0;
}

}  // namespace trio::lowlevel
