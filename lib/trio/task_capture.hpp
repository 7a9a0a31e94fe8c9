// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/task_tree.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <typeinfo>
#include <vector>

namespace trio {
class Nursery;
}

namespace trio::detail {

class Runner;
struct TaskRecord;

// The tasks of a run as they were at one moment, with their stacks, in memory that is put aside
// beforehand.
class TaskCapture {
 public:
  TaskCapture(std::size_t max_tasks, std::size_t max_frames);

  // Walks the stack of whatever runs, when it is asked to: walk_own_stack or, in a signal handler,
  // walk_interrupted_stack.
  using WalkRunning = std::size_t (*)(std::span<void const*> into) noexcept;

  // On the run's thread. Safe in a signal handler, wherever it interrupts the run.
  void take(Runner const& runner, WalkRunning walk_running) noexcept;

  // The same of nothing but the task that runs now, if one does.
  void take_running(Runner const& runner, WalkRunning walk_running) noexcept;

  // What was taken.
  TaskTree tree() const;

 private:
  struct Entry {
    // Compared, never looked into: all of them may be gone when the tree is made.
    TaskRecord const* task;
    TaskRecord const* parent;
    Nursery const* nursery;
    TaskState state;
    bool cancelled;
    std::int64_t parked_nanoseconds;
    // The given name; if there is none, what to make one from.
    std::array<char, 96> name;
    std::type_info const* type;
    void const* function;
    std::size_t frames;
  };

  void write_down(Entry& entry, std::span<void const*> frames, TaskRecord const& task,
                  Runner const& runner, WalkRunning walk_running) noexcept;
  TaskTree task_at(std::size_t index) const;
  std::span<void const* const> frames_at(std::size_t index) const;

  std::size_t const max_frames_;
  std::vector<Entry> entries_;
  // max_frames_ for each entry.
  std::vector<void const*> frames_;
  std::size_t taken_ = 0;
  std::size_t left_out_ = 0;
};

}  // namespace trio::detail
