// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "fiber.hpp"

#include <trio/detail/list.hpp>
#include <trio/detail/task_job.hpp>
#include <trio/lowlevel.hpp>
#include <trio/nursery.hpp>
#include <trio/parking_lot.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

namespace trio::detail {

// The task-local values of a task: a list that tasks share until one of them sets a value.
struct TaskLocals;

struct AnyTaskTag;

// Everything the run knows of a task.
struct TaskRecord final : Task, Hook<ChildTaskTag>, Hook<ScopeTaskTag>, Hook<AnyTaskTag> {
  TaskRecord(std::unique_ptr<Job> what, std::string given_name)
      : job(std::move(what)),
        job_type(job->type()),
        job_function(job->function()),
        name_given(std::move(given_name)) {}

  // The task that opened the nursery it lives in; null for the first task.
  TaskRecord const* parent() const noexcept { return nursery ? &nursery->parent_task_ : nullptr; }

  // The name as given, or the mangled one of its exported function or its type. Allocates nothing,
  // but may ask the dynamic linker, which takes a lock: fit for the last words of a thread that has
  // crashed, and not for handlers of signals that come at any time.
  std::string_view raw_name() const noexcept;

  // Moves the task to another innermost scope, delivering what is pending there.
  void enter_scope(CancelScope& inner);

  bool scope_is_cancelled() const noexcept { return scope->effectively_cancelled_; }

  // Calls the abort function, if the task waits with one that was not called yet.
  void try_abort(lowlevel::RaiseCancel const& raise);

  // try_abort, if its scope is cancelled.
  void deliver_pending_cancel() {
    if (scope_is_cancelled() && parked_uncaught <= scope_uncaught) [[unlikely]]
      try_abort(lowlevel::RaiseCancel(scope->cause_));
  }

  // Null when it has ended; what it was is remembered for the name.
  std::unique_ptr<Job> job;
  std::type_info const& job_type;
  void const* const job_function;
  std::string name_given;
  // The readable name, once somebody has asked: each remote call does, and making it takes 2 us.
  std::string mutable name_made = {};
  // Null until it first runs.
  Fiber* fiber = nullptr;
  // The task has ended; with this error, if any.
  bool finished = false;
  std::exception_ptr error = {};

  Nursery* nursery = nullptr;
  Nursery* eventual_nursery = nullptr;
  List<Nursery, ChildNurseryTag> open_nurseries = {};
  CancelScope* scope = nullptr;

  // How many exceptions were in flight when it entered its innermost scope: more now means that a
  // destructor runs in unwinding, which no cancellation from that scope may reach.
  int scope_uncaught = 0;
  // The same for an interrupt, which no scope stops: 0, and -1 once it destroys its arguments.
  int outermost_uncaught = 0;
  // How many were when it parked.
  int parked_uncaught = 0;

  // Parked in wait_task_rescheduled, to be rescheduled exactly once.
  bool parked = false;
  // In the TaskChain it is in; null for the last.
  TaskRecord* next_to_run = nullptr;
  // By the run's coarse clock; the last time it did.
  std::int64_t parked_since = 0;
  lowlevel::detail_abort::AbortRef abort = {};
  // What it wakes to: one of these, or neither.
  std::optional<lowlevel::RaiseCancel> wake_cancel = {};
  std::exception_ptr wake_error = {};

  lowlevel::CheckpointCounts counts = {};
  std::shared_ptr<TaskLocals const> locals = {};
  // Lots to break when it ends.
  std::vector<lowlevel::ParkingLot*> breakers = {};
};

}  // namespace trio::detail
