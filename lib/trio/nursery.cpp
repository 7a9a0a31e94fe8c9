// SPDX-License-Identifier: BSL-1.0
#include "runner.hpp"

#include <trio/exception_group.hpp>
#include <trio/nursery.hpp>

#include <utility>

namespace trio {

namespace detail {

void throw_body_was_cut_short() {
  throw MisuseError(
      "trio: open_nursery: the nursery's own scope was cancelled before the body "
      "returned its value; let the body return void or a std::optional");
}

}  // namespace detail

namespace {

bool is_interrupt(std::exception_ptr const& error) {
  auto const* group = exception_cast<BaseExceptionGroup>(error);
  return group ? group->find<Interrupted>() != nullptr
               : exception_cast<Interrupted>(error) != nullptr;
}

}  // namespace

Nursery::Nursery() : parent_task_(detail::Runner::waiting_task()) {
  parent_task_.open_nurseries.push_back(*this);
  scope_.open(parent_task_);
}

Nursery::~Nursery() = default;

Task& Nursery::parent_task() const noexcept { return parent_task_; }

std::vector<Task*> Nursery::child_tasks() const {
  std::vector<Task*> tasks;
  for (auto* task = children_.next(nullptr); task; task = children_.next(task))
    tasks.push_back(task);
  return tasks;
}

void Nursery::check_open() const {
  if (closed_)
    throw MisuseError("trio: the nursery is closed: its block has ended, no task can be started");
  if (scope_.runner_ != &detail::Runner::current())
    throw MisuseError(
        "trio: the nursery belongs to a run of another thread; ask that run with "
        "TrioToken::run_sync_soon");
}

void Nursery::spawn(std::unique_ptr<detail::Job> job, TaskOptions options,
                    Nursery* eventual_parent) {
  check_open();
  detail::Runner::current().spawn(std::move(job), std::move(options.name), this, eventual_parent);
}

void Nursery::add_error(std::exception_ptr error, std::string source_task) {
  errors_.push_back(error);
  if (scope_.cancel_called_) return;
  if (is_interrupt(error))
    scope_.cancel(CancelReason{CancelSource::interrupt, std::move(source_task), "SIGINT"});
  else
    scope_.cancel(CancelReason{CancelSource::nursery, std::move(source_task), describe(error)});
}

void Nursery::child_finished(detail::TaskRecord& child, std::exception_ptr error) {
  child.detail::Hook<detail::ChildTaskTag>::unlink();
  --child_count_;
  if (error) add_error(std::move(error), child.name());
  wake_if_done();
}

void Nursery::wake_if_done() {
  if (has_tasks()) return;
  if (!joiners_.empty()) joiners_.unpark_all();
  if (body_running_) return;
  closed_ = true;
  if (std::exchange(parent_waits_, false))
    detail::Runner::current().reschedule(parent_task_, nullptr);
}

void Nursery::finish(std::exception_ptr error) {
  if (error) add_error(std::move(error), parent_task_.name());
  body_running_ = false;
  wake_if_done();
  if (closed_) {
    lowlevel::cancel_shielded_checkpoint();
  } else {
    parent_waits_ = true;
    lowlevel::wait_task_rescheduled([this](lowlevel::RaiseCancel const& raise) {
      // The end waits whatever happens. A Cancelled reaches the tasks by itself; an interrupt is
      // for us alone.
      if (raise.is_interrupt()) add_error(raise.exception(), {});
      return lowlevel::Abort::failed;
    });
  }
  detail::Hook<detail::ChildNurseryTag>::unlink();
  std::exception_ptr all;
  if (!errors_.empty())
    all = make_exception_group("errors in a nursery", std::exchange(errors_, {}));
  if (auto rest = scope_.close(std::move(all))) std::rethrow_exception(std::move(rest));
}

void Nursery::join() {
  if (&detail::Runner::current_task() != &parent_task_)
    throw MisuseError(
        "trio: nursery.join() waits inside the nursery's body; a task of the nursery "
        "would wait for itself");
  if (!has_tasks()) lowlevel::checkpoint();
  while (has_tasks()) joiners_.park();
}

void Nursery::start_and_wait(TaskStatusBase& status, std::unique_ptr<detail::Job> job,
                             TaskOptions options) {
  check_open();

  struct PendingStart {
    Nursery& nursery;

    explicit PendingStart(Nursery& target) : nursery(target) { ++nursery.pending_starts_; }

    ~PendingStart() {
      --nursery.pending_starts_;
      nursery.wake_if_done();
    }
  } const pending(*this);

  status.ignored_ = false;
  status.target_ = this;
  std::exception_ptr error;
  try {
    open_nursery([&](Nursery& starting) {
      status.starting_ = &starting;
      starting.spawn(std::move(job), std::move(options), this);
    });
  } catch (BaseExceptionGroup const& group) {
    // The private nursery is ours alone: its group is taken off again.
    error = group.exceptions().size() == 1
                ? group.exceptions().front()
                : std::make_exception_ptr(TrioInternalError(
                      "trio: nursery.start(): more than one error in its private nursery",
                      std::current_exception()));
  }
  status.starting_ = nullptr;
  if (error) std::rethrow_exception(std::move(error));
  if (status.called_) return;
  // Cancelled, the task may have ended as it was told to.
  lowlevel::checkpoint_if_cancelled();
  throw MisuseError("trio: nursery.start(): the task ended without calling task_status.started()");
}

bool TaskStatusBase::mark_started() {
  if (ignored_) return false;
  if (called_) throw MisuseError("trio: task_status.started() was called twice");
  called_ = true;
  return true;
}

void TaskStatusBase::hand_over() noexcept {
  if (!starting_) return;
  // The task will end where it is; elsewhere, nobody would catch a Cancelled already on its way.
  if (starting_->scope_.effectively_cancelled_) return;
  Nursery& starting = *starting_;
  Nursery& target = *target_;
  while (!starting.children_.empty()) {
    detail::TaskRecord& task = starting.children_.pop_front();
    task.nursery = &target;
    task.eventual_nursery = nullptr;
    target.children_.push_back(task);
    --starting.child_count_;
    ++target.child_count_;
  }
  target.scope_.adopt_children_of(starting.scope_);
  starting.wake_if_done();
}

}  // namespace trio
