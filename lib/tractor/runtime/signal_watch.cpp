// SPDX-License-Identifier: BSL-1.0
#include "signal_watch.hpp"

#include <trio/io.hpp>
#include <trio/lowlevel.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace tractor::runtime {

namespace {

// A handler is the process's, and so is what it must know: where to write, and who was there
// before.
std::atomic<int> heard_by = -1;
// Threads that are in the handler: the pipe that they found must not be closed meanwhile.
std::atomic<int> handling = 0;
std::array<struct sigaction, NSIG> previous;

void on_signal(int number, siginfo_t* info, void* context) {
  int const error = errno;
  auto const byte = static_cast<unsigned char>(number);
  ++handling;
  if (int const fd = heard_by; fd >= 0) static_cast<void>(write(fd, &byte, 1));
  --handling;
  struct sigaction const& before = previous[static_cast<std::size_t>(number)];
  if (before.sa_flags & SA_SIGINFO)
    before.sa_sigaction(number, info, context);
  else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
    before.sa_handler(number);
  errno = error;
}

}  // namespace

SignalWatch::SignalWatch(std::vector<int> const& signals) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) < 0)
    throw std::system_error(errno, std::generic_category(), "tractor: a pipe for signals");
  read_ = trio::Descriptor(ends[0]);
  write_ = trio::Descriptor(ends[1]);
  int nobody = -1;
  if (!heard_by.compare_exchange_strong(nobody, ends[1])) return;
  for (int number : signals) {
    auto& before = previous[static_cast<std::size_t>(number)];
    sigaction(number, nullptr, &before);
    if (!(before.sa_flags & SA_SIGINFO) && before.sa_handler == SIG_IGN) continue;
    struct sigaction action = {};
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigaction(number, &action, nullptr);
    heard_.push_back(number);
  }
}

SignalWatch::~SignalWatch() {
  for (int number : heard_) {
    struct sigaction present = {};
    sigaction(number, nullptr, &present);
    if ((present.sa_flags & SA_SIGINFO) && present.sa_sigaction == on_signal)
      sigaction(number, &previous[static_cast<std::size_t>(number)], nullptr);
  }
  int ours = write_.get();
  if (heard_by.compare_exchange_strong(ours, -1))
    while (handling > 0) std::this_thread::yield();
}

bool SignalWatch::is_default(int signal) noexcept {
  struct sigaction present = {};
  sigaction(signal, nullptr, &present);
  return !(present.sa_flags & SA_SIGINFO) && present.sa_handler == SIG_DFL;
}

bool SignalWatch::has_heard() const noexcept {
  int bytes = 0;
  ioctl(read_.get(), FIONREAD, &bytes);
  return bytes > 0;
}

int SignalWatch::wait() {
  trio::lowlevel::checkpoint();
  // Nobody runs between this read and what the caller makes of it: has_heard() is true until then.
  unsigned char number = 0;
  while (read(read_.get(), &number, 1) != 1) trio::lowlevel::wait_readable(read_.get());
  return number;
}

}  // namespace tractor::runtime
