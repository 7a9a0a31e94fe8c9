// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/cancelled.hpp>
#include <trio/detail/task_job.hpp>
#include <trio/time.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace trio {

class Nursery;

// A task, as seen by others: for introspection and for rescheduling it. Lives until the task ends.
class Task {
 public:
  Task(Task const&) = delete;
  Task& operator=(Task const&) = delete;

  // The name given at its start, or that of its function; of a function object, its type's. Mirrors
  // trio's Task.name.
  std::string name() const;
  // The nursery it lives in; null for the first task of a run. Mirrors Task.parent_nursery.
  Nursery* parent_nursery() const noexcept;
  // The nursery it will move to when it calls started(), while it is under Nursery::start().
  // Mirrors Task.eventual_parent_nursery.
  Nursery* eventual_parent_nursery() const noexcept;
  // The nurseries it has open, outermost first. Mirrors Task.child_nurseries.
  std::vector<Nursery*> child_nurseries() const;

 protected:
  Task() = default;
  ~Task() = default;
};

// What is needed to build new blocking operations. Mirrors trio.lowlevel.
namespace lowlevel {

// What an abort function answers: the wait is undone, or it goes on.
enum class Abort { succeeded, failed };

// Throws the cancellation that an abort function was called for; may be kept and used later.
class RaiseCancel {
 public:
  // A cancellation with this reason; null: SIGINT's Interrupted.
  explicit RaiseCancel(std::shared_ptr<CancelReason const> reason) : reason_(std::move(reason)) {}

  // Throws Cancelled or Interrupted.
  [[noreturn]] void operator()() const;
  // The same as an exception_ptr, for whoever delivers it by reschedule(). As with operator(), an
  // interrupt counts as delivered from here on: drop it, and the ctrl-c is lost.
  std::exception_ptr exception() const;

  bool is_interrupt() const noexcept { return reason_ == nullptr; }

 private:
  std::shared_ptr<CancelReason const> reason_;
};

namespace detail_abort {
// A reference to an abort function, which lives on the stack of the parked task.
struct AbortRef {
  void* object = nullptr;
  Abort (*call)(void* object, RaiseCancel const& raise) noexcept = nullptr;
};

void wait(AbortRef abort);
}  // namespace detail_abort

// Parks the current task until reschedule(): the one function in which every blocking operation
// ends. Returns when rescheduled; throws the error given to reschedule(), or Cancelled/Interrupted.
//
// `abort(RaiseCancel const&)` is called, at most once, if the task is cancelled meanwhile: on the
// run loop's or the canceller's stack, or, where it is cancelled already, on its own before it
// parks. So it must neither wait nor throw (an exception ends the program), nor call
// TaskStatus::started(). It answers Abort::succeeded after it has unlinked the task from everything
// that might reschedule it, and the task then throws; or Abort::failed, and whoever was to
// reschedule it still must (the cancellation is not lost: the next checkpoint sees it). Once
// rescheduled, an operation is done: a cancellation that comes before the task runs again hits its
// next checkpoint. A checkpoint. Throws MisuseError outside a task. Mirrors
// trio.lowlevel.wait_task_rescheduled.
template <class AbortFn> void wait_task_rescheduled(AbortFn&& abort) {
  using Function = std::remove_reference_t<AbortFn>;
  static_assert(std::is_invocable_r_v<Abort, Function&, RaiseCancel const&>,
                "trio: an abort function takes a RaiseCancel const& and returns an Abort");
  if constexpr (std::is_function_v<Function>)
    // Only objects can be pointed to by a void*.
    wait_task_rescheduled(+abort);
  else
    detail_abort::wait({const_cast<void*>(static_cast<void const*>(&abort)),
                        [](void* object, RaiseCancel const& raise) noexcept -> Abort {
                          return (*static_cast<Function*>(object))(raise);
                        }});
}

// Makes a task parked in wait_task_rescheduled run again; with `error`, by throwing it there. Call
// it exactly once a park, on the run's thread; otherwise throws MisuseError and changes nothing.
// Not a checkpoint. Mirrors trio.lowlevel.reschedule.
void reschedule(Task& task, std::exception_ptr error = nullptr);

namespace detail_wake {
// Throws what reschedule() would.
void check(Task& task);
// reschedule(), right after a check().
void wake(Task& task) noexcept;
}  // namespace detail_wake

// The task that calls. Throws MisuseError outside a task. Mirrors trio.lowlevel.current_task.
Task& current_task();

// The run's first task, which waits for the main task. Not a checkpoint. Throws MisuseError outside
// a run. Mirrors trio.lowlevel.current_root_task.
Task& current_root_task();

// Whether the caller is in a task of a run. Mirrors trio.lowlevel.in_trio_task.
bool in_task() noexcept;

// Lets others run, then throws Cancelled if the task is cancelled, or in the main task Interrupted
// if a SIGINT has come: a full checkpoint. Where nobody else is ready and nothing is due, it costs
// no switch. Throws MisuseError outside a task. Mirrors trio.lowlevel.checkpoint.
void checkpoint();

// Throws Cancelled or Interrupted as checkpoint() does, after letting others run; else does
// nothing. Throws MisuseError outside a task. Mirrors trio.lowlevel.checkpoint_if_cancelled.
void checkpoint_if_cancelled();

// Lets others run; never throws Cancelled or Interrupted. Throws MisuseError outside a task.
// Mirrors trio.lowlevel.cancel_shielded_checkpoint.
void cancel_shielded_checkpoint();

namespace detail_system {
Task& spawn(std::unique_ptr<detail::Job> job, std::string name);
}

// Starts a task that belongs to the run: it is cancelled when the main task has ended, and if it
// throws, the run ends with TrioInternalError. Not a checkpoint. Throws MisuseError outside a run,
// and when the run is ending and its last system task has ended. Mirrors
// trio.lowlevel.spawn_system_task.
template <class F, class... A> Task& spawn_system_task(std::string name, F&& fn, A&&... args) {
  return detail_system::spawn(detail::make_job(std::forward<F>(fn), std::forward<A>(args)...),
                              std::move(name));
}

// The counters behind trio's statistics of the current run. Mirrors
// trio.lowlevel.current_statistics in part.
struct RunStatistics {
  std::size_t tasks_living = 0;
  std::size_t tasks_runnable = 0;
  // Until the next deadline; nanoseconds::max() if there is none.
  Duration until_next_deadline = std::chrono::nanoseconds::max();
  std::size_t deadlines = 0;
  std::size_t run_sync_soon_queue = 0;
  // Switches into a task so far, and visits to epoll.
  std::uint64_t steps = 0;
  std::uint64_t polls = 0;
  // Stacks made so far, used or waiting for a task.
  std::size_t stacks = 0;
  // Threads of to_thread::run, at work or idle.
  std::size_t threads = 0;
  // In wait_readable or wait_writable.
  std::size_t tasks_waiting_for_descriptors = 0;
};

// As they stand now. Not a checkpoint. Throws MisuseError outside a run.
RunStatistics current_statistics();

// How often the current task has been at a schedule point and at a cancel point: what
// testing::assert_checkpoints compares.
struct CheckpointCounts {
  std::uint64_t schedule_points = 0;
  std::uint64_t cancel_points = 0;
};

// As they stand now. Not a checkpoint. Throws MisuseError outside a task.
CheckpointCounts current_checkpoint_counts();

namespace detail_token {
class EntryQueue;
}

// The way into a run from outside: from other threads. Copyable; may outlive the run. Mirrors
// trio.lowlevel.TrioToken.
class TrioToken {
 public:
  // Has `fn` called by the run, in a system task, in the order of the calls; it must not wait. Any
  // thread may call it, at any time. Accepted means it will be called before the run ends; after
  // that, throws RunFinishedError. With an `idempotent` key, a call whose key is already queued and
  // not started is dropped. If `fn` throws, the run ends with TrioInternalError. Not for a signal
  // handler, unlike trio's: it takes a lock, and memory. Mirrors trio's TrioToken.run_sync_soon.
  void run_sync_soon(std::function<void()> fn, void const* idempotent = nullptr) const;

  // Only makes the run loop turn once. The one thing that a signal handler may call.
  void wake() const noexcept;

 private:
  friend TrioToken current_trio_token();

  explicit TrioToken(std::shared_ptr<detail_token::EntryQueue> queue) : queue_(std::move(queue)) {}

  std::shared_ptr<detail_token::EntryQueue> queue_;
};

// The token of the current run. Not a checkpoint. Throws MisuseError outside a run. Mirrors
// trio.lowlevel.current_trio_token.
TrioToken current_trio_token();

}  // namespace lowlevel
}  // namespace trio
