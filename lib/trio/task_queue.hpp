// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "task_record.hpp"

#include <cstddef>
#include <utility>

namespace trio::detail {

// Tasks in the order in which they are to run, linked through themselves: nothing is allocated, so
// nothing can fail. A task is in one chain at a time, and leaves it at the front.
class TaskChain {
 public:
  TaskChain() = default;

  explicit TaskChain(TaskRecord* first) noexcept : first_(first) {}

  bool empty() const noexcept { return !first_; }

  TaskRecord& front() const noexcept { return *first_; }

  TaskRecord& pop_front() noexcept { return *std::exchange(first_, first_->next_to_run); }

  // Counts them.
  std::size_t size() const noexcept {
    std::size_t count = 0;
    for (TaskRecord* task = first_; task; task = task->next_to_run) ++count;
    return count;
  }

 private:
  TaskRecord* first_ = nullptr;
};

// A chain that grows at its end.
class TaskQueue {
 public:
  bool empty() const noexcept { return !first_; }

  void push_back(TaskRecord& task) noexcept {
    task.next_to_run = nullptr;
    (first_ ? last_->next_to_run : first_) = &task;
    last_ = &task;
  }

  // All of them; the queue is then empty.
  TaskChain take() noexcept { return TaskChain(std::exchange(first_, nullptr)); }

  std::size_t size() const noexcept { return TaskChain(first_).size(); }

 private:
  TaskRecord* first_ = nullptr;
  // Means nothing while the queue is empty.
  TaskRecord* last_ = nullptr;
};

}  // namespace trio::detail
