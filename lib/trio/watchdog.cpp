// SPDX-License-Identifier: BSL-1.0
#include "runner.hpp"
#include "task_capture.hpp"
#include "unwind.hpp"

#include <trio/task_tree.hpp>
#include <trio/watchdog.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <time.h>

namespace trio {

class Watchdog::Thread {
 public:
  Thread(detail::Runner const& runner, WatchdogOptions options)
      : runner_(runner), options_(std::move(options)) {
    if (options_.limit <= std::chrono::nanoseconds(0))
      throw std::invalid_argument("trio: the limit of a Watchdog must be positive");
    install_handler();
    thread_ = std::thread([this] { watch(); });
  }

  Thread(Thread const&) = delete;
  Thread& operator=(Thread const&) = delete;

  ~Thread() {
    ending_ = true;
    sem_post(&woken_.semaphore);
    thread_.join();
  }

 private:
  using Clock = std::chrono::steady_clock;

  // For the handler to wake the thread by.
  struct Wake {
    Wake() { sem_init(&semaphore, 0, 0); }

    Wake(Wake const&) = delete;
    Wake& operator=(Wake const&) = delete;

    ~Wake() { sem_destroy(&semaphore); }

    sem_t semaphore = {};
  };

  // A watchdog among those that watch its thread: where the handler finds it, whenever it comes, or
  // no more, if a signal comes late.
  struct Listed {
    explicit Listed(Thread& listed) : watchdog(listed) { link(youngest, this); }

    Listed(Listed const&) = delete;
    Listed& operator=(Listed const&) = delete;

    ~Listed() {
      Listed** place = &youngest;
      while (*place != this) place = &(*place)->older;
      link(*place, older);
    }

    static Thread* find(void const* address) noexcept {
      for (Listed* each = youngest; each; each = each->older)
        if (&each->watchdog == address) return &each->watchdog;
      return nullptr;
    }

    // All that is written before is there for a handler that sees it.
    static void link(Listed*& place, Listed* to) noexcept {
      std::atomic_signal_fence(std::memory_order_seq_cst);
      place = to;
      std::atomic_signal_fence(std::memory_order_seq_cst);
    }

    static thread_local Listed* youngest;

    Thread& watchdog;
    Listed* older = youngest;
  };

  static void install_handler() {
    static bool const installed = [] {
      struct sigaction action = {};
      action.sa_sigaction = on_signal;
      action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
      sigaction(SIGURG, nullptr, &previous_action_);
      sigaction(SIGURG, &action, nullptr);
      return true;
    }();
    static_cast<void>(installed);
  }

  static void on_signal(int signal, siginfo_t* info, void* context) {
    int const error = errno;
    if (Thread* const sender =
            info->si_code == SI_QUEUE ? Listed::find(info->si_value.sival_ptr) : nullptr)
      sender->look_closer();
    else if (previous_action_.sa_flags & SA_SIGINFO)
      previous_action_.sa_sigaction(signal, info, context);
    else if (previous_action_.sa_handler != SIG_DFL && previous_action_.sa_handler != SIG_IGN)
      previous_action_.sa_handler(signal);
    errno = error;
  }

  // In the signal handler, on the run's thread.
  void look_closer() noexcept {
    if (runner_.pulse() != suspect_) return;
    capture_.take_running(runner_, detail::walk_interrupted_stack);
    captured_ = true;
    sem_post(&woken_.semaphore);
  }

  void watch() {
    std::uint64_t pulse = runner_.pulse();
    auto since = Clock::now();
    while (!ending_) {
      pause();
      if (captured_.exchange(false)) {
        report(Clock::now() - since);
        continue;
      }
      if (auto const present = runner_.pulse(); present != pulse) {
        pulse = present;
        since = Clock::now();
      } else if (pulse % 2 == 1 && suspect_ != pulse &&
                 Clock::now() - since >= options_.limit.nanoseconds()) {
        suspect_ = pulse;
        sigval value = {};
        value.sival_ptr = this;
        pthread_sigqueue(run_thread_, SIGURG, value);
      }
    }
  }

  // Until something has come, or it is time to look again.
  void pause() noexcept {
    auto const interval = std::clamp<std::chrono::nanoseconds>(
        options_.limit.nanoseconds() / 4, std::chrono::milliseconds(1), std::chrono::hours(1));
    timespec now = {};
    clock_gettime(CLOCK_MONOTONIC, &now);
    auto const until = now.tv_nsec + interval.count();
    timespec const limit = {now.tv_sec + until / 1'000'000'000, until % 1'000'000'000};
    sem_clockwait(&woken_.semaphore, CLOCK_MONOTONIC, &limit);
  }

  void report(std::chrono::duration<double> held) const {
    auto const text = fmt::format(
        "trio: a task has held the thread for {:.2f} s without a checkpoint; no other can run:\n{}",
        held.count(), format(capture_.tree()));
    if (options_.report)
      options_.report(text);
    else
      std::fputs(text.c_str(), stderr);
  }

  static struct sigaction previous_action_;

  detail::Runner const& runner_;
  WatchdogOptions const options_;
  pthread_t const run_thread_ = pthread_self();
  // The handler's from the signal on until captured_ is set, then the watching thread's.
  detail::TaskCapture capture_{1, detail::most_frames};
  // The pulse of the stretch that was told of last.
  std::atomic<std::uint64_t> suspect_ = 0;
  std::atomic<bool> captured_ = false;
  std::atomic<bool> ending_ = false;
  Wake woken_;
  Listed const listed_{*this};
  std::thread thread_;
};

struct sigaction Watchdog::Thread::previous_action_ = {};
thread_local constinit Watchdog::Thread::Listed* Watchdog::Thread::Listed::youngest = nullptr;

Watchdog::Watchdog(WatchdogOptions options)
    : thread_(std::make_unique<Thread>(detail::Runner::current(), std::move(options))) {}

Watchdog::~Watchdog() = default;

}  // namespace trio
