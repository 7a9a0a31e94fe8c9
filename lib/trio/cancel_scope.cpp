// SPDX-License-Identifier: BSL-1.0
#include "runner.hpp"

#include <trio/cancel_scope.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>
#include <vector>

namespace trio {

namespace detail {

struct CancelledMaker {
  static Cancelled make(std::shared_ptr<CancelReason const> reason) {
    return Cancelled(std::move(reason));
  }
};

}  // namespace detail

namespace lowlevel {

void RaiseCancel::operator()() const {
  if (reason_) throw detail::CancelledMaker::make(reason_);
  detail::Runner::current().interrupt_was_raised();
  throw Interrupted();
}

std::exception_ptr RaiseCancel::exception() const {
  if (reason_) return std::make_exception_ptr(detail::CancelledMaker::make(reason_));
  detail::Runner::current().interrupt_was_raised();
  return std::make_exception_ptr(Interrupted());
}

}  // namespace lowlevel

std::string describe(CancelReason const& reason) {
  std::string text;
  switch (reason.source) {
    case CancelSource::call:
      text = "cancel() was called";
      break;
    case CancelSource::deadline:
      text = "the deadline passed";
      break;
    case CancelSource::nursery:
      text = "something in the nursery failed";
      break;
    case CancelSource::shutdown:
      text = "the run is ending";
      break;
    case CancelSource::interrupt:
      text = "a signal interrupted it";
      break;
    case CancelSource::remote:
      text = "another actor asked for it";
      break;
  }
  if (!reason.source_task.empty()) text += " (task '" + reason.source_task + "')";
  if (!reason.reason.empty()) text += ": " + reason.reason;
  return text;
}

std::string describe(CancelScope const& scope) {
  std::string text = "a cancel scope";
  switch (scope.state_) {
    case CancelScope::State::unentered:
      text += ", not entered";
      break;
    case CancelScope::State::open:
      text += ", active";
      break;
    case CancelScope::State::closed:
      text += ", exited";
      break;
  }
  if (scope.cancel_called_) return text + ", cancelled: " + describe(scope.cause());
  auto const seconds = [](Duration length) {
    std::array<char, 32> figure{};
    std::snprintf(figure.data(), figure.size(), "%.2f seconds",
                  std::chrono::duration<double>(length.nanoseconds()).count());
    return std::string(figure.data());
  };
  if (scope.relative_)
    return text + ", deadline is " + seconds(*scope.relative_) + " after its entry";
  detail::Runner* runner = detail::Runner::of_this_thread();
  if (scope.deadline_ == never || !runner) return text;
  Time const now = runner->now();
  return text + ", deadline is " +
         (scope.deadline_ < now ? seconds(between(scope.deadline_, now)) + " ago"
                                : seconds(between(now, scope.deadline_)) + " from now");
}

CancelScope::CancelScope(Duration timeout, bool shield) : CancelScope(never, shield) {
  if (timeout < std::chrono::nanoseconds(0))
    throw std::invalid_argument("trio: a timeout must not be negative");
  relative_ = timeout;
}

CancelScope::~CancelScope() {
  if (state_ == State::open) close(nullptr);
}

CancelScope::Entry::Entry(CancelScope& entered) : scope(entered) {
  scope.open(detail::Runner::current_task());
}

CancelScope::Entry::~Entry() {
  if (scope.state_ == State::open) scope.close(nullptr);
}

void CancelScope::Entry::leave(std::exception_ptr error) {
  if (auto rest = scope.close(std::move(error))) std::rethrow_exception(std::move(rest));
}

void CancelScope::open_as_root(detail::Runner& runner) noexcept {
  state_ = State::open;
  runner_ = &runner;
}

void CancelScope::open(detail::TaskRecord& task) {
  if (state_ != State::unentered)
    throw MisuseError("trio: this CancelScope was entered before; make a new one for each block");
  if (relative_ || deadline_ != never) task.scope->runner_->deadlines().make_room();
  state_ = State::open;
  parent_ = task.scope;
  runner_ = parent_->runner_;
  owner_ = &task;
  parent_->children_.push_back(*this);
  outer_uncaught_ = task.scope_uncaught;
  task.scope_uncaught = runner_->switcher().uncaught_exceptions();
  unwinding_shield_ = task.scope_uncaught > outer_uncaught_;
  Time present = expired;
  if (relative_ || deadline_ != never) present = runner_->now();
  if (relative_) deadline_ = trio::after(present, *std::exchange(relative_, std::nullopt));
  effectively_cancelled_ = cancel_called_ || cancelled_from_outside();
  if (effectively_cancelled_ && !cause_) cause_ = parent_->cause_;
  task.enter_scope(*this);
  if (deadline_ == never) return;
  if (deadline_ <= present)
    cancel(CancelReason{CancelSource::deadline, {}, {}});
  else
    register_deadline();
}

bool CancelScope::cancelled_from_outside() const noexcept {
  return parent_ && !shielded() && parent_->effectively_cancelled_;
}

std::exception_ptr CancelScope::close(std::exception_ptr error) noexcept {
  if (error && effectively_cancelled_ && !cancelled_from_outside()) {
    auto rest = detail::sieve(error, [](std::exception_ptr const& leaf) {
      return exception_cast<Cancelled>(leaf) != nullptr;
    });
    cancelled_caught_ = rest != error;
    error = std::move(rest);
  }
  state_ = State::closed;
  runner_->deadlines().remove(*this);
  if (owner_) {
    owner_->scope_uncaught = outer_uncaught_;
    owner_->enter_scope(*parent_);
  }
  detail::Hook<detail::ChildScopeTag>::unlink();
  return error;
}

void CancelScope::register_deadline() noexcept {
  detail::DeadlineHeap& deadlines = runner_->deadlines();
  deadlines.remove(*this);
  if (state_ == State::open && deadline_ != never && !cancel_called_) {
    deadlines.insert(*this, deadline_);
    runner_->nudge_host();
  }
}

void CancelScope::check_thread() const {
  if (state_ == State::open && runner_ != detail::Runner::of_this_thread())
    throw MisuseError(
        "trio: the CancelScope belongs to a run of another thread; ask that run with "
        "TrioToken::run_sync_soon");
}

void CancelScope::cancel(std::string reason) {
  if (cancel_called_) return;
  detail::Runner* runner = detail::Runner::of_this_thread();
  std::string task = runner ? runner->running_name() : std::string();
  cancel(CancelReason{CancelSource::call, std::move(task), std::move(reason)});
}

void CancelScope::cancel(CancelReason reason) {
  if (cancel_called_) return;
  check_thread();
  if (!cause_) cause_ = std::make_shared<CancelReason const>(std::move(reason));
  cancel_called_ = true;
  if (state_ != State::open) return;
  register_deadline();
  recalculate();
}

bool CancelScope::cancel_called() {
  if (cancel_called_ || state_ == State::closed || deadline_ == never) return cancel_called_;
  detail::Runner* runner = runner_ ? runner_ : detail::Runner::of_this_thread();
  if (runner && deadline_ <= runner->now()) cancel(CancelReason{CancelSource::deadline, {}, {}});
  return cancel_called_;
}

Time CancelScope::deadline() const {
  if (relative_)
    throw MisuseError("trio: this scope's deadline is relative; it has none until it is entered");
  return deadline_;
}

void CancelScope::set_deadline(Time deadline) {
  check_thread();
  bool const needs_room =
      state_ == State::open && deadline != never && heap_position == not_in_heap;
  if (needs_room) runner_->deadlines().make_room();
  relative_.reset();
  deadline_ = deadline;
  if (state_ == State::open) register_deadline();
}

void CancelScope::set_shield(bool shield) {
  check_thread();
  shield_ = shield;
  if (state_ == State::open) recalculate();
}

void CancelScope::recalculate() {
  // Not recursive: scopes may be nested thousands deep.
  std::vector<CancelScope*> todo;
  for (CancelScope* scope = this; scope;) {
    bool const cancelled = scope->cancel_called_ || scope->cancelled_from_outside();
    if (cancelled != scope->effectively_cancelled_) {
      scope->effectively_cancelled_ = cancelled;
      if (cancelled && !scope->cause_) scope->cause_ = scope->parent_->cause_;
      if (!cancelled) scope->cause_ = nullptr;
      // An abort function may end other waits, but moves no task to another scope.
      for (auto* task = scope->tasks_.next(nullptr); task && cancelled;
           task = scope->tasks_.next(task))
        task->deliver_pending_cancel();
      for (auto* child = scope->children_.next(nullptr); child;
           child = scope->children_.next(child))
        todo.push_back(child);
    }
    scope = todo.empty() ? nullptr : todo.back();
    if (!todo.empty()) todo.pop_back();
  }
}

void CancelScope::adopt_children_of(CancelScope& other) {
  std::vector<CancelScope*> scopes;
  while (!other.children_.empty()) scopes.push_back(&other.children_.pop_front());
  std::vector<detail::TaskRecord*> tasks;
  for (auto* task = other.tasks_.next(nullptr); task; task = other.tasks_.next(task))
    if (task != other.owner_) tasks.push_back(task);
  // Only now attach: a task woken by its new place may cancel others that must have moved too.
  for (CancelScope* scope : scopes) {
    scope->parent_ = this;
    children_.push_back(*scope);
  }
  for (detail::TaskRecord* task : tasks) task->enter_scope(*this);
  for (CancelScope* scope : scopes) scope->recalculate();
}

Time current_effective_deadline() {
  detail::TaskRecord const& task = detail::Runner::current_task();
  CancelScope const* scope = task.scope;
  if (scope->runner_->switcher().uncaught_exceptions() > task.scope_uncaught) return never;
  if (scope->effectively_cancelled_) return expired;
  Time earliest = never;
  for (; scope; scope = scope->parent_) {
    earliest = std::min(earliest, scope->deadline_);
    if (scope->shielded()) break;
  }
  return earliest;
}

}  // namespace trio
