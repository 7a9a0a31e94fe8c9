// SPDX-License-Identifier: BSL-1.0
#include "task_capture.hpp"

#include "runner.hpp"
#include "task_record.hpp"
#include "unwind.hpp"

#include <trio/detail/type_name.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <unordered_map>
#include <utility>

namespace trio::detail {

TaskCapture::TaskCapture(std::size_t max_tasks, std::size_t max_frames)
    : max_frames_(std::clamp(max_frames, std::size_t{1}, most_frames)),
      entries_(std::max(max_tasks, std::size_t{1})),
      frames_(entries_.size() * max_frames_) {
  warm_up_unwinder();
}

void TaskCapture::take(Runner const& runner, WalkRunning walk_running) noexcept {
  taken_ = 0;
  left_out_ = 0;
  auto const& tasks = runner.tasks();
  for (TaskRecord const* task = tasks.next(nullptr); task;
       task = tasks.next(const_cast<TaskRecord*>(task))) {
    if (taken_ == entries_.size()) {
      ++left_out_;
      continue;
    }
    std::span<void const*> const frames(&frames_[taken_ * max_frames_], max_frames_);
    write_down(entries_[taken_++], frames, *task, runner, walk_running);
  }
}

void TaskCapture::take_running(Runner const& runner, WalkRunning walk_running) noexcept {
  taken_ = 0;
  left_out_ = 0;
  if (TaskRecord const* task = runner.running())
    write_down(entries_[taken_++], {frames_.data(), max_frames_}, *task, runner, walk_running);
}

void TaskCapture::write_down(Entry& entry, std::span<void const*> frames, TaskRecord const& task,
                             Runner const& runner, WalkRunning walk_running) noexcept {
  bool const is_running = &task == runner.running();
  entry.task = &task;
  entry.parent = task.parent();
  entry.nursery = task.nursery;
  entry.state = is_running    ? TaskState::running
                : task.parked ? TaskState::parked
                              : TaskState::ready;
  entry.cancelled = task.scope_is_cancelled();
  entry.parked_nanoseconds =
      entry.state == TaskState::parked ? coarse_tick() - task.parked_since : 0;
  std::size_t const length = std::min(task.name_given.size(), entry.name.size() - 1);
  std::memcpy(entry.name.data(), task.name_given.data(), length);
  entry.name[length] = '\0';
  entry.type = &task.job_type;
  entry.function = task.job_function;
  // A task that is just being left or entered has its registers saved already, or still.
  void const* const saved = task.fiber ? *task.fiber->saved_context : nullptr;
  entry.frames = saved ? walk_parked_stack(saved, frames) : is_running ? walk_running(frames) : 0;
}

std::span<void const* const> TaskCapture::frames_at(std::size_t index) const {
  return {&frames_[index * max_frames_], entries_[index].frames};
}

TaskTree TaskCapture::task_at(std::size_t index) const {
  Entry const& entry = entries_[index];
  TaskTree task;
  bool const named = entry.name.front() != '\0';
  task.name = named ? entry.name.data() : type_name(*entry.type);
  task.function = named ? nullptr : entry.function;
  task.state = entry.state;
  task.parked_for = std::chrono::nanoseconds(entry.parked_nanoseconds);
  task.cancelled = entry.cancelled;
  auto const frames = frames_at(index);
  task.stack.assign(frames.begin(), frames.end());
  return task;
}

TaskTree TaskCapture::tree() const {
  std::vector<TaskTree> tasks;
  tasks.reserve(taken_);
  std::unordered_map<TaskRecord const*, std::size_t> index_of;
  // Of each nursery, the how manyth of its task's it is.
  std::unordered_map<Nursery const*, std::size_t> number_of;
  for (std::size_t i = 0; i < taken_; ++i) {
    tasks.push_back(task_at(i));
    index_of[entries_[i].task] = i;
    if (i == 0) continue;
    auto& nurseries = tasks[index_of.at(entries_[i].parent)].nurseries;
    if (number_of.try_emplace(entries_[i].nursery, nurseries.size()).second)
      nurseries.emplace_back();
  }
  // Backwards, as parents come before their children: what is put into its parent is complete.
  for (std::size_t i = taken_; i-- > 0;) {
    for (auto& children : tasks[i].nurseries) std::ranges::reverse(children);
    if (i == 0) break;
    TaskTree& parent = tasks[index_of.at(entries_[i].parent)];
    parent.nurseries[number_of.at(entries_[i].nursery)].push_back(std::move(tasks[i]));
  }
  if (tasks.empty()) return {};
  tasks.front().left_out = left_out_;
  return std::move(tasks.front());
}

}  // namespace trio::detail
