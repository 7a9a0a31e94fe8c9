// SPDX-License-Identifier: BSL-1.0
#include "runner.hpp"
#include "sigint.hpp"

#include <trio/errors.hpp>
#include <trio/guest.hpp>

#include <condition_variable>
#include <mutex>
#include <thread>

#include <poll.h>

namespace trio::detail {

namespace {

// A thread that sleeps in the kernel while the host's goes on: until `descriptor` is readable, or
// for a while. It reads nothing.
class Sleeper {
 public:
  // `woken(whether the time has passed)` is called on the thread.
  Sleeper(int descriptor, std::function<void(bool timed_out)> woken)
      : descriptor_(descriptor), woken_(std::move(woken)), thread_([this] { work(); }) {}

  Sleeper(Sleeper const&) = delete;
  Sleeper& operator=(Sleeper const&) = delete;

  // Not while it sleeps.
  ~Sleeper() {
    {
      std::lock_guard const lock(mutex_);
      ending_ = true;
    }
    asked_.notify_one();
    thread_.join();
  }

  void sleep(std::chrono::nanoseconds limit) {
    {
      std::lock_guard const lock(mutex_);
      limit_ = limit;
    }
    asked_.notify_one();
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      asked_.wait(lock, [this] { return limit_ || ending_; });
      if (ending_) return;
      auto const limit = *std::exchange(limit_, std::nullopt);
      lock.unlock();
      woken_(wait(limit));
      lock.lock();
    }
  }

  bool wait(std::chrono::nanoseconds limit) const noexcept {
    pollfd watched = {descriptor_, POLLIN, 0};
    timespec const relative = {limit.count() / 1'000'000'000, limit.count() % 1'000'000'000};
    return ppoll(&watched, 1, &relative, nullptr) == 0;
  }

  int const descriptor_;
  std::function<void(bool)> const woken_;
  std::mutex mutex_;
  std::condition_variable asked_;
  std::optional<std::chrono::nanoseconds> limit_ = {};
  bool ending_ = false;
  std::thread thread_;
};

// A run that lives from what the host gives it, until it is over; then it goes by itself.
class GuestRun {
 public:
  GuestRun(GuestHost host, RunOptions const& options, std::function<void(std::exception_ptr)> done)
      : host_(std::move(host)), done_(std::move(done)), runner_(options) {
    if (!host_.run_sync_soon_not_threadsafe)
      host_.run_sync_soon_not_threadsafe = host_.run_sync_soon_threadsafe;
    sigint_.emplace(runner_, options.sigint);
    sleeper_.emplace(runner_.poller().descriptor(), [this](bool timed_out) {
      host_.run_sync_soon_threadsafe([this, timed_out] {
        if (!timed_out) primed_ = Primed::no;
        tick();
      });
    });
  }

  // Throws what goes wrong before the main task has run.
  static void start(std::unique_ptr<GuestRun> self, std::unique_ptr<Job> main) {
    self->runner_.begin(std::move(main));
    // The first task's first step, in which it starts the main task.
    Duration const limit = self->runner_.pass_as_guest(self->primed_);
    if (self->runner_.is_over()) return self->leave_host();
    self.release()->go_on(limit);
  }

 private:
  using Primed = Runner::Primed;

  void tick() {
    Duration const limit = runner_.pass_as_guest(primed_);
    if (runner_.is_over())
      end();
    else
      go_on(limit);
  }

  void go_on(Duration limit) {
    if (limit > std::chrono::nanoseconds(0))
      sleeper_->sleep(limit.nanoseconds());
    else
      host_.run_sync_soon_not_threadsafe([this] { tick(); });
  }

  // Throws what the run has come to.
  void leave_host() {
    sleeper_.reset();
    sigint_.reset();
    runner_.end();
  }

  void end() {
    std::exception_ptr error;
    try {
      leave_host();
    } catch (...) {
      error = std::current_exception();
    }
    auto const done = std::move(done_);
    delete this;
    done(std::move(error));
  }

  GuestHost host_;
  std::function<void(std::exception_ptr)> done_;
  Runner runner_;
  std::optional<SigintHandler> sigint_ = {};
  Primed primed_ = Primed::no;
  std::optional<Sleeper> sleeper_ = {};
};

}  // namespace

void start_guest_run(GuestHost host, RunOptions const& options, std::unique_ptr<Job> main,
                     std::function<void(std::exception_ptr)> done) {
  if (Runner::of_this_thread())
    throw MisuseError("trio::start_guest_run: this thread is already inside a run");
  GuestRun::start(std::make_unique<GuestRun>(std::move(host), options, std::move(done)),
                  std::move(main));
}

}  // namespace trio::detail
