// SPDX-License-Identifier: BSL-1.0
#include "runner.hpp"
#include "task_capture.hpp"
#include "unwind.hpp"

#include <trio/errors.hpp>
#include <trio/task_tree.hpp>

#include <atomic>
#include <cerrno>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace trio {

namespace {

// Threads that are in the handler: the printer that they found must not go meanwhile.
std::atomic<int> handling = 0;

pid_t own_thread() noexcept { return static_cast<pid_t>(syscall(SYS_gettid)); }

sigset_t only(int signal) noexcept {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  return set;
}

// Blocks signals of the calling thread while it lives.
class Blocked {
 public:
  explicit Blocked(sigset_t const& signals) { pthread_sigmask(SIG_BLOCK, &signals, &before_); }

  Blocked(Blocked const&) = delete;
  Blocked& operator=(Blocked const&) = delete;

  ~Blocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

// What a signal handler may wake a thread with.
class Semaphore {
 public:
  Semaphore() { sem_init(&semaphore_, 0, 0); }

  Semaphore(Semaphore const&) = delete;
  Semaphore& operator=(Semaphore const&) = delete;

  ~Semaphore() { sem_destroy(&semaphore_); }

  void post() noexcept { sem_post(&semaphore_); }

  void wait() noexcept {
    while (sem_wait(&semaphore_) < 0) {}
  }

 private:
  sem_t semaphore_;
};

void write_all(int output, std::string_view text) {
  while (!text.empty()) {
    ssize_t const written = write(output, text.data(), text.size());
    if (written < 0 && errno != EINTR) return;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

class TaskTreeOnSignal::Printer {
 public:
  Printer(detail::Runner const& runner, TaskTreeOptions options)
      : runner_(runner),
        options_(std::move(options)),
        capture_(options_.max_tasks, options_.max_frames) {
    Printer* nobody = nullptr;
    if (!active_.compare_exchange_strong(nobody, this))
      throw MisuseError("trio: there is a TaskTreeOnSignal in this process already");
    try {
      sigset_t all;
      sigfillset(&all);
      // The thread inherits the mask: signals are for others.
      Blocked const blocked(all);
      thread_ = std::thread([this] { print_when_asked(); });
    } catch (...) {
      active_ = nullptr;
      throw;
    }
    struct sigaction action = {};
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigaction(options_.signal, &action, &previous_);
  }

  Printer(Printer const&) = delete;
  Printer& operator=(Printer const&) = delete;

  ~Printer() {
    {
      sigset_t const signal = only(options_.signal);
      Blocked const blocked(signal);
      active_ = nullptr;
      while (handling > 0) std::this_thread::yield();
      // One that another thread passed on just now would meet the previous handler, which may be to
      // end the process.
      timespec const at_once = {};
      while (sigtimedwait(&signal, nullptr, &at_once) > 0) {}
      sigaction(options_.signal, &previous_, nullptr);
    }
    stopping_ = true;
    asked_.post();
    thread_.join();
  }

 private:
  static void on_signal(int signal, siginfo_t*, void*) {
    int const error = errno;
    ++handling;
    if (Printer* printer = active_) printer->handle(signal);
    --handling;
    errno = error;
  }

  void handle(int signal) noexcept {
    if (own_thread() != run_thread_) {
      syscall(SYS_tgkill, getpid(), run_thread_, signal);
      return;
    }
    // The capture is the handler's until it is posted, and then the printing thread's.
    if (printing_.exchange(true)) return;
    capture_.take(runner_, detail::walk_interrupted_stack);
    asked_.post();
  }

  void print_when_asked() noexcept {
    for (;;) {
      asked_.wait();
      // Posted once for each request, and last for the end.
      if (stopping_ && !printing_) return;
      write_all(options_.output, options_.heading + "\n" + format(capture_.tree()));
      printing_ = false;
      if (options_.afterwards) options_.afterwards();
    }
  }

  // A signal handler finds its printer nowhere else.
  static std::atomic<Printer*> active_;

  detail::Runner const& runner_;
  TaskTreeOptions const options_;
  detail::TaskCapture capture_;
  pid_t const run_thread_ = own_thread();
  struct sigaction previous_ = {};
  std::atomic<bool> printing_ = false;
  std::atomic<bool> stopping_ = false;
  Semaphore asked_;
  std::thread thread_;
};

std::atomic<TaskTreeOnSignal::Printer*> TaskTreeOnSignal::Printer::active_ = nullptr;

TaskTreeOnSignal::TaskTreeOnSignal(TaskTreeOptions options)
    : printer_(std::make_unique<Printer>(detail::Runner::current(), std::move(options))) {}

TaskTreeOnSignal::~TaskTreeOnSignal() = default;

}  // namespace trio
