// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/time.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace trio {

struct WatchdogOptions {
  // How long, in real time, a task may go on without a checkpoint.
  Duration limit = std::chrono::seconds(1);
  // Gets the report, on a thread of the watchdog's; it must not throw. Empty: written to stderr.
  std::function<void(std::string const& report)> report = {};
};

// While it lives, it tells of each task that holds the thread for longer than it may: that computes
// for long, blocks in a system call or a lock, or loops without a checkpoint; nothing else of the
// run, not even a timeout, can happen meanwhile.
//
//   trio: a task has held the thread for 1.25 s without a checkpoint; no other can run:
//   - burn: running
//         burn(int) at main.cpp:30
//
// Once for each such stretch, up to a quarter of the limit late. A run has none by itself: it costs
// a thread that looks four times in each limit. It shows the stack as the task stands then, by a
// signal to the run's thread (SIGURG, for which the first watchdog of a process installs a handler
// that stays, and passes on all others): so a system call that the kernel does not restart may end
// with EINTR.
//
// Make it and let it go on the run's thread, in a task or between tasks.
class Watchdog {
 public:
  // Throws MisuseError outside a run, std::invalid_argument for a limit that is not positive,
  // std::bad_alloc, std::system_error. Not a checkpoint.
  explicit Watchdog(WatchdogOptions options = {});
  Watchdog(Watchdog const&) = delete;
  Watchdog& operator=(Watchdog const&) = delete;
  // Waits for a report under way. Not a checkpoint.
  ~Watchdog();

 private:
  class Thread;
  std::unique_ptr<Thread> thread_;
};

}  // namespace trio
