// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "sanitizer.hpp"
#include "stack.hpp"

#include <cstddef>
#include <memory>
#include <vector>

namespace boost::fibers {
class context;
}

namespace trio::detail {

struct TaskRecord;
class NoScheduling;

// libstdc++'s two words of exception state, one pair a thread: the exceptions being handled, and
// how many are in flight. Tasks share a thread but not a stack of handlers, so each keeps its own.
struct ExceptionState {
  void* caught = nullptr;
  unsigned int uncaught = 0;
};

// A pooled stack that runs one task after another.
struct Fiber {
  Stack stack;
  boost::fibers::context* context = nullptr;
  // Where the address of its saved registers stands: null while it runs. For debuggers and for
  // walks of its stack.
  void* const* saved_context = nullptr;
  sanitizer::Side side;
  // The task it runs; null in the pool.
  TaskRecord* task = nullptr;
};

// Switches between the run loop, on the thread's own stack, and the fibers of its tasks, and from
// one of these straight to the next. step() and park() are the only two places in the library where
// a switch happens. Boost.Fiber's own scheduler never gets a turn meanwhile: a fiber primitive of
// Boost used in a task ends the program with a sentence, because nothing could cancel it. Boost's
// fibers of the thread wait until it is gone.
class Switcher {
 public:
  using RunTask = Fiber* (*)(Fiber&) noexcept;

  // On the thread's main context, else throws MisuseError. `run_task` is what a fiber does with the
  // task it is given; it returns who is to run next: null for the loop, and the fiber itself if it
  // has been given another task.
  Switcher(std::size_t stack_size, std::size_t max_guarded_stacks, RunTask run_task);
  Switcher(Switcher const&) = delete;
  Switcher& operator=(Switcher const&) = delete;
  // All fibers must be back in the pool.
  ~Switcher();

  // A fiber from the pool or a new one. Throws std::bad_alloc.
  Fiber& acquire(TaskRecord& task);
  // Null if none is in the pool.
  Fiber* acquire_from_pool(TaskRecord& task) noexcept;
  // Into the pool. It may be the one that runs, if it then parks without touching its task.
  void release(Fiber& fiber) noexcept;

  // Both are in switching.hpp. From the loop: runs the fiber, and those that it parks for, until
  // one parks for the loop.
  void step(Fiber& fiber) noexcept;
  // From a fiber to `next`, or to the loop if that is null, until this one's turn comes again.
  // Keeps the task's exception state and errno.
  void park(Fiber& fiber, Fiber* next) noexcept;

  // The thread is ending, by std::exit in what runs now: leaves it to Boost.Fiber as it was.
  void leave_thread() noexcept;

  Fiber* running() const noexcept { return running_; }

  std::size_t fibers_made() const noexcept { return fibers_.size(); }

  // How many exceptions are in flight in what runs now: std::uncaught_exceptions() without the
  // look-up.
  int uncaught_exceptions() const noexcept { return static_cast<int>(exceptions_->uncaught); }

 private:
  [[noreturn]] void work(Fiber& fiber) noexcept;
  [[noreturn]] void continue_as_main(Fiber& fiber) noexcept;
  [[noreturn]] static void end_by_overflow(Fiber const& fiber) noexcept;
  void give_thread_back() noexcept;

  StackArena arena_;
  RunTask run_task_;
  ExceptionState* exceptions_;
  int* errno_;
  boost::fibers::context* loop_;
  // Owned by Boost's scheduler.
  NoScheduling* no_scheduling_;
  sanitizer::Side loop_side_;
  Fiber* running_ = nullptr;
  // What called std::exit.
  Fiber* exiting_ = nullptr;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> pool_;
};

// Reports an overflow of the running task's stack by the task's name, then lets the signal kill the
// process as it would have, or the handler that was there before do its work. Installed once a
// process, for good: it could not tell whether somebody has built on it since. `prepare_thread`
// gives the calling thread the separate stack that a handler of overflows needs.
void report_stack_overflows();
void prepare_thread_for_overflow_reports();

}  // namespace trio::detail
