// SPDX-License-Identifier: BSL-1.0
#include "function_name.hpp"
#include "runner.hpp"
#include "task_record.hpp"

#include <trio/detail/is_parked.hpp>
#include <trio/detail/type_name.hpp>

#include <dlfcn.h>

namespace trio {

namespace detail {

bool is_parked(Task const& task) noexcept { return static_cast<TaskRecord const&>(task).parked; }

std::string_view TaskRecord::raw_name() const noexcept {
  if (!name_given.empty()) return name_given;
  Dl_info info = {};
  if (job_function && dladdr(job_function, &info) && info.dli_sname) return info.dli_sname;
  return job_type.name();
}

void TaskRecord::enter_scope(CancelScope& inner) {
  Hook<ScopeTaskTag>::unlink();
  scope = &inner;
  inner.tasks_.push_back(*this);
  deliver_pending_cancel();
}

void TaskRecord::try_abort(lowlevel::RaiseCancel const& raise) {
  auto const function = std::exchange(abort, {});
  if (!function.call) return;
  if (function.call(function.object, raise) == lowlevel::Abort::failed) return;
  wake_cancel = raise;
  scope->runner_->make_ready(*this);
}

namespace {

TaskRecord const& record(Task const& task) noexcept { return static_cast<TaskRecord const&>(task); }

}  // namespace

}  // namespace detail

std::string Task::name() const {
  auto const& task = detail::record(*this);
  if (!task.name_given.empty()) return task.name_given;
  if (task.name_made.empty()) {
    std::string mangled;
    if (task.job_function) mangled = detail::function_name(task.job_function);
    if (mangled.empty()) mangled = task.job_type.name();
    task.name_made = detail::demangle(mangled.c_str());
  }
  return task.name_made;
}

Nursery* Task::parent_nursery() const noexcept { return detail::record(*this).nursery; }

Nursery* Task::eventual_parent_nursery() const noexcept {
  return detail::record(*this).eventual_nursery;
}

std::vector<Nursery*> Task::child_nurseries() const {
  std::vector<Nursery*> nurseries;
  auto const& open = detail::record(*this).open_nurseries;
  for (Nursery* nursery = open.next(nullptr); nursery; nursery = open.next(nursery))
    nurseries.push_back(nursery);
  return nurseries;
}

}  // namespace trio
