// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/descriptor.hpp>
#include <trio/exit_status.hpp>
#include <trio/lock.hpp>

#include <optional>

#include <sys/types.h>

namespace trio::lowlevel {

// A child of this process, however it came to be, held by its pidfd: the number is never taken for
// that of another process. Never outlives its owner: destroying it kills and reaps it, and waits
// for that without letting other tasks run; no task may be in its functions then (see end()). For
// one run's thread only.
class OwnedChild {
 public:
  // The child `pid`, which nobody else reaps, and its pidfd.
  OwnedChild(pid_t pid, Descriptor pidfd) noexcept;
  OwnedChild(OwnedChild const&) = delete;
  OwnedChild& operator=(OwnedChild const&) = delete;
  ~OwnedChild();

  pid_t pid() const noexcept { return pid_; }

  // Still its own.
  int pidfd() const noexcept { return pidfd_.get(); }

  // Waits until it has ended, and reaps it; says how it ended, or nothing if somebody else has
  // reaped it. Any number of tasks may wait. A checkpoint always. Afterwards gives the same answer
  // at once. Throws MisuseError outside a task.
  std::optional<ExitStatus> wait();
  // The same without reaping it: until that is done, nobody else gets its number, or its group's.
  std::optional<ExitStatus> wait_for_end();

  // Whether it has ended. Does not reap it. Not a checkpoint.
  bool has_ended() noexcept;

  // Reaps it if it has ended; whether it is reaped now. Not a checkpoint.
  bool is_reaped() noexcept;

  // How it ended; nothing if none of the above has seen that yet, or somebody else has reaped it.
  // Not a checkpoint.
  std::optional<ExitStatus> const& status() const noexcept { return status_; }

  // Sends a signal, if it has not been reaped. Not a checkpoint.
  void signal(int number) noexcept;

  // Kills and reaps it, and waits for that without letting other tasks run. Tasks that are in
  // wait() get their answer. Not a checkpoint.
  void end() noexcept;

 private:
  // waitid() with these flags beside WEXITED.
  void look(int flags) noexcept;

  pid_t const pid_;
  Descriptor const pidfd_;
  // Held by the task that waits for the pidfd.
  Lock waiting_;
  bool ended_ = false;
  bool reaped_ = false;
  std::optional<ExitStatus> status_;
};

}  // namespace trio::lowlevel
