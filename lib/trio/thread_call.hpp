// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "thread_cache.hpp"

#include <trio/detail/task_job.hpp>
#include <trio/lowlevel.hpp>

#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace trio {

class CapacityLimiter;

namespace detail {

// A call from a thread into the run: the thread waits for the answer.
class ThreadMessage {
 public:
  explicit ThreadMessage(std::function<void()> const& fn) : fn_(fn) {}

  // In the run: makes the call, and lets the thread go on.
  void answer();
  // In the run: refuses.
  void fail(std::exception_ptr error);
  // In the thread: waits for one of these; throws what the call has thrown.
  void wait();

 private:
  // The thread's own, on its stack.
  std::function<void()> const& fn_;
  std::promise<void> answer_ = {};
};

// One to_thread::run: what its task, its thread and the run between them share.
class ThreadCall final : public ThreadWork, public std::enable_shared_from_this<ThreadCall> {
 public:
  // By the current task. The limiter has lent a token to this call's address by the time it starts.
  ThreadCall(std::unique_ptr<Job> job, CapacityLimiter& limiter, bool abandon_on_cancel);

  // The call that the calling thread works for, or null.
  static ThreadCall* of_this_thread() noexcept { return of_this_thread_; }

  // In the task: waits for the thread, and meanwhile makes the calls that it asks for.
  void wait();

  void run() noexcept override;
  void deliver() noexcept override;

  // For the thread. Has the message answered by the task that waits.
  void send(std::shared_ptr<ThreadMessage> message);

  bool may_be_abandoned() const noexcept { return abandon_on_cancel_; }

  lowlevel::TrioToken const& token() const noexcept { return token_; }

  // What the task was cancelled with since it has begun to wait, or last answered. Any thread.
  std::optional<lowlevel::RaiseCancel> cancellation() const;

 private:
  lowlevel::Abort abort(lowlevel::RaiseCancel const& raise) noexcept;
  void set_cancellation(std::optional<lowlevel::RaiseCancel> raise);
  // In the run: the thread has done its work.
  void finish();
  void wake_task();

  static thread_local ThreadCall* of_this_thread_;

  // The thread's, and when it has delivered, the run's.
  std::unique_ptr<Job> job_;
  std::exception_ptr error_ = {};

  lowlevel::TrioToken const token_ = lowlevel::current_trio_token();
  CapacityLimiter& limiter_;
  bool const abandon_on_cancel_;

  // The run's: the task while it is parked, and what for it wakes.
  Task* parked_ = nullptr;
  std::shared_ptr<ThreadMessage> message_ = {};
  bool finished_ = false;

  mutable std::mutex mutex_;
  std::optional<lowlevel::RaiseCancel> cancellation_ = {};
};

}  // namespace detail
}  // namespace trio
