// SPDX-License-Identifier: BSL-1.0
#include "runner.hpp"

#include <trio/detail/keep_frame.hpp>
#include <trio/errors.hpp>
#include <trio/io.hpp>
#include <trio/lowlevel.hpp>
#include <trio/signals.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

namespace trio {

namespace {

// Threads that are in the handler: the inbox that they found must not go meanwhile.
std::atomic<int> handling = 0;

std::system_error failed(char const* what) {
  return std::system_error(errno, std::generic_category(), what);
}

}  // namespace

// A pipe that the handler writes each signal's number to, unless it is in there: so it never fills.
class SignalReceiver::Inbox {
 public:
  explicit Inbox(std::initializer_list<int> signals) {
    if (pipe2(ends_.data(), O_CLOEXEC | O_NONBLOCK) < 0) throw failed("trio: pipe2");
    try {
      std::lock_guard const lock(changing_);
      for (int const signal : signals) install(signal);
    } catch (...) {
      close();
      throw;
    }
  }

  Inbox(Inbox const&) = delete;
  Inbox& operator=(Inbox const&) = delete;

  // Once, before it goes; a task that still waits in receive() keeps it until then.
  void close() {
    {
      std::lock_guard const lock(changing_);
      uninstall();
    }
    while (handling > 0) std::this_thread::yield();
    while (auto const signal = take()) raise(signal);
    lowlevel::notify_closing(ends_[0]);
    for (int const end : ends_) ::close(end);
    closed_ = true;
  }

  int receive() {
    if (std::exchange(receiving_, true))
      throw BusyResourceError("trio: another task is already waiting for these signals");

    struct Place {
      bool& taken;

      ~Place() { taken = false; }
    } const place{receiving_};

    lowlevel::checkpoint_if_cancelled();
    int signal = take();
    if (signal) {
      lowlevel::cancel_shielded_checkpoint();
      return signal;
    }
    while (!signal) {
      lowlevel::wait_readable(ends_[0]);
      if (closed_)
        throw ClosedResourceError("trio: the SignalReceiver went while a task waited in receive");
      signal = take();
    }
    return signal;
  }

  std::size_t pending() const noexcept {
    return static_cast<std::size_t>(
        std::ranges::count_if(is_pending_, [](auto const& flag) { return flag.load(); }));
  }

 private:
  struct Installed {
    int signal;
    struct sigaction before;
    // The receiver that had the signal before.
    Inbox* below;
  };

  static void on_signal(int signal, siginfo_t*, void*) {
    int const error = errno;
    ++handling;
    if (Inbox* inbox = receivers_[index(signal)]) inbox->put(signal);
    --handling;
    errno = error;
  }

  static std::size_t index(int signal) noexcept { return static_cast<std::size_t>(signal); }

  void put(int signal) noexcept {
    if (is_pending_[index(signal)].exchange(true)) return;
    auto const number = static_cast<unsigned char>(signal);
    [[maybe_unused]] auto const written = write(ends_[1], &number, 1);
  }

  // 0 if nothing is there.
  int take() noexcept {
    unsigned char number = 0;
    if (read(ends_[0], &number, 1) != 1) return 0;
    is_pending_[number] = false;
    return number;
  }

  void install(int signal) {
    auto const same = [signal](Installed const& each) { return each.signal == signal; };
    if (std::ranges::any_of(installed_, same)) return;
    installed_.reserve(installed_.size() + 1);
    struct sigaction action = {};
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    struct sigaction before = {};
    if (sigaction(signal, nullptr, &before) < 0) throw failed("trio: open_signal_receiver");
    Inbox* const below = receivers_[index(signal)].exchange(this);
    if (sigaction(signal, &action, nullptr) < 0) {
      receivers_[index(signal)] = below;
      throw failed("trio: open_signal_receiver");
    }
    installed_.push_back({signal, before, below});
  }

  void uninstall() noexcept {
    for (Installed const& mine : installed_) {
      // Receivers need not go in the order opposite to their coming.
      Inbox* above = nullptr;
      for (Inbox* each = receivers_[index(mine.signal)]; each != this;
           each = each->find(mine.signal).below)
        above = each;
      if (above) {
        above->find(mine.signal).before = mine.before;
        above->find(mine.signal).below = mine.below;
      } else {
        sigaction(mine.signal, &mine.before, nullptr);
        receivers_[index(mine.signal)] = mine.below;
      }
    }
  }

  Installed& find(int signal) noexcept {
    return *std::ranges::find(installed_, signal, &Installed::signal);
  }

  // Which receiver a handler puts a signal into; changed under the mutex only.
  static std::array<std::atomic<Inbox*>, NSIG> receivers_;
  static std::mutex changing_;

  std::array<int, 2> ends_ = {};
  std::array<std::atomic<bool>, NSIG> is_pending_ = {};
  std::vector<Installed> installed_ = {};
  bool receiving_ = false;
  bool closed_ = false;
};

constinit std::array<std::atomic<SignalReceiver::Inbox*>, NSIG> SignalReceiver::Inbox::receivers_ =
    {};
constinit std::mutex SignalReceiver::Inbox::changing_;

SignalReceiver open_signal_receiver(std::initializer_list<int> signals) {
  static_cast<void>(detail::Runner::current());
  if (signals.size() == 0)
    throw std::invalid_argument("trio: open_signal_receiver: name the signals to be received");
  return SignalReceiver(std::make_shared<SignalReceiver::Inbox>(signals));
}

SignalReceiver::SignalReceiver(std::shared_ptr<Inbox> inbox) : inbox_(std::move(inbox)) {}

SignalReceiver::SignalReceiver(SignalReceiver&&) noexcept = default;

SignalReceiver& SignalReceiver::operator=(SignalReceiver&& other) noexcept {
  if (this != &other) {
    if (inbox_) inbox_->close();
    inbox_ = std::move(other.inbox_);
  }
  return *this;
}

SignalReceiver::~SignalReceiver() {
  if (inbox_) inbox_->close();
}

int SignalReceiver::receive() {
  auto const inbox = inbox_;
  if (!inbox) throw MisuseError("trio: this SignalReceiver was moved from");
  int const signal = inbox->receive();
  detail::keep_frame();
  return signal;
}

std::size_t SignalReceiver::pending() const noexcept { return inbox_ ? inbox_->pending() : 0; }

}  // namespace trio
