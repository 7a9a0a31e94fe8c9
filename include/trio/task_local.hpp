// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <memory>
#include <utility>

namespace trio {

namespace detail {
std::shared_ptr<void> task_local_get(void const* key);
void task_local_set(void const* key, std::shared_ptr<void> value);
}  // namespace detail

// A value of its own for each task. A new task starts with the values of the task that started it
// (a run's first with none); setting one is seen by the task itself and by tasks it starts later.
// Make it a global or static: its address is its name. Mirrors Python's contextvars as trio uses
// them.
template <class T> class TaskLocal {
 public:
  // The current task's value, or null if it has none or there is no task.
  T* get() const { return static_cast<T*>(detail::task_local_get(this).get()); }

  // The same, kept alive.
  std::shared_ptr<T> share() const {
    return std::static_pointer_cast<T>(detail::task_local_get(this));
  }

  // Sets it for the current task. Throws MisuseError outside a task.
  void set(std::shared_ptr<T> value) const { detail::task_local_set(this, std::move(value)); }
};

}  // namespace trio
