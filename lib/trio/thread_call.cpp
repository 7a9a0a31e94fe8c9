// SPDX-License-Identifier: BSL-1.0
#include "thread_call.hpp"

#include "task_record.hpp"

#include <trio/capacity_limiter.hpp>
#include <trio/detail/guarded.hpp>
#include <trio/errors.hpp>

namespace trio::detail {

void ThreadMessage::answer() {
  if (auto error = caught_from(fn_))
    fail(std::move(error));
  else
    answer_.set_value();
}

void ThreadMessage::fail(std::exception_ptr error) { answer_.set_exception(std::move(error)); }

void ThreadMessage::wait() { answer_.get_future().get(); }

thread_local constinit ThreadCall* ThreadCall::of_this_thread_ = nullptr;

ThreadCall::ThreadCall(std::unique_ptr<Job> job, CapacityLimiter& limiter, bool abandon_on_cancel)
    : job_(std::move(job)), limiter_(limiter), abandon_on_cancel_(abandon_on_cancel) {}

void ThreadCall::run() noexcept {
  of_this_thread_ = this;
  error_ = caught_from([&] { job_->run(); });
  // What it refers to may be gone as soon as the task goes on.
  job_.reset();
  of_this_thread_ = nullptr;
}

void ThreadCall::deliver() noexcept {
  try {
    token_.run_sync_soon([self = shared_from_this()] { self->finish(); });
  } catch (RunFinishedError const&) {
    // It was abandoned: nobody waits for it.
  }
}

void ThreadCall::finish() {
  // An error of the limiter's would otherwise pass unseen: it wins over the thread's own.
  if (auto error = caught_from([&] { limiter_.release_on_behalf_of(this); }))
    error_ = std::move(error);
  finished_ = true;
  wake_task();
}

void ThreadCall::send(std::shared_ptr<ThreadMessage> message) {
  token_.run_sync_soon([this, sent = std::move(message)] {
    message_ = sent;
    wake_task();
  });
}

void ThreadCall::wake_task() {
  Task* const task = std::exchange(parked_, nullptr);
  // Not if it was rescheduled by hand just now.
  if (task && static_cast<TaskRecord*>(task)->parked) lowlevel::reschedule(*task);
}

void ThreadCall::wait() {
  struct Place {
    ThreadCall& call;

    ~Place() { call.parked_ = nullptr; }
  } const place{*this};

  // Whoever wakes the task by hand, what the thread refers to must stay.
  while (!finished_) {
    set_cancellation({});
    parked_ = &lowlevel::current_task();
    lowlevel::wait_task_rescheduled([this](auto const& raise) { return abort(raise); });
    if (auto const message = std::exchange(message_, nullptr)) message->answer();
  }
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

lowlevel::Abort ThreadCall::abort(lowlevel::RaiseCancel const& raise) noexcept {
  if (!abandon_on_cancel_) {
    set_cancellation(raise);
    return lowlevel::Abort::failed;
  }
  // The interrupt itself is for the task alone.
  if (raise.is_interrupt())
    set_cancellation(lowlevel::RaiseCancel(std::make_shared<CancelReason const>(
        CancelReason{CancelSource::interrupt, {}, "the thread was abandoned"})));
  else
    set_cancellation(raise);
  parked_ = nullptr;
  return lowlevel::Abort::succeeded;
}

void ThreadCall::set_cancellation(std::optional<lowlevel::RaiseCancel> raise) {
  std::lock_guard const lock(mutex_);
  cancellation_ = std::move(raise);
}

std::optional<lowlevel::RaiseCancel> ThreadCall::cancellation() const {
  std::lock_guard const lock(mutex_);
  return cancellation_;
}

}  // namespace trio::detail
