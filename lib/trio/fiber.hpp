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

// Switches between the run loop, on the thread's own stack, and the fibers of its tasks. step() and
// park() are the only two places in the library where a switch happens. Boost.Fiber's own scheduler
// never gets a turn meanwhile: a fiber primitive of Boost used in a task ends the program with a
// sentence, because nothing could cancel it. Boost's fibers of the thread wait until it is gone.
class Switcher {
 public:
  using RunTask = void (*)(TaskRecord&) noexcept;

  // On the thread's main context, else throws MisuseError. `run_task` is what a fiber does with the
  // task it is given.
  Switcher(std::size_t stack_size, std::size_t max_guarded_stacks, RunTask run_task);
  Switcher(Switcher const&) = delete;
  Switcher& operator=(Switcher const&) = delete;
  // All fibers must be back in the pool.
  ~Switcher();

  // A fiber from the pool or a new one. Throws std::bad_alloc.
  Fiber& acquire(TaskRecord& task);
  void release(Fiber& fiber) noexcept;

  // Both are in switching.hpp. From the loop: runs the fiber until it parks or its task ends.
  void step(Fiber& fiber) noexcept;
  // From a fiber: back to the loop, until stepped again. Keeps the task's exception state and
  // errno.
  void park(Fiber& fiber) noexcept;

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
  boost::fibers::context* loop_;
  // Owned by Boost's scheduler.
  NoScheduling* no_scheduling_;
  sanitizer::Side loop_side_;
  Fiber* running_ = nullptr;
  bool exiting_ = false;
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
