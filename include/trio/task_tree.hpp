// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/stack_trace.hpp>
#include <trio/time.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <signal.h>
#include <unistd.h>

// What the tasks of a run are doing: as data, as text, and at a signal.
namespace trio {

enum class TaskState {
  running,
  ready,   // will run in this pass of the run loop or the next
  parked,  // waits for something
};

// A task at one moment, with all that live in its nurseries.
struct TaskTree {
  // As Task::name(), cut after 95 bytes.
  std::string name = {};
  // The task's function, if it is a plain one and no name was given: format() looks up how it is
  // called. Else null.
  void const* function = nullptr;
  TaskState state = TaskState::ready;
  // How long it has been parked, in real time whatever the run's clock; 0 if it is not. Exact to a
  // few milliseconds, or to what the run loop took for 64 passes without waiting.
  Duration parked_for = std::chrono::nanoseconds(0);
  // Its innermost scope is cancelled, by itself or from outside.
  bool cancelled = false;
  // Innermost frame first; empty if the task has not run yet.
  StackTrace stack = {};
  // The tasks in each of its nurseries, in order of arrival. Empty nurseries are not listed.
  std::vector<std::vector<TaskTree>> nurseries = {};
  // How many tasks of the run were left out for want of room; of the first task only.
  std::size_t left_out = 0;
};

// The current run from its first task on, which is the root task, not the main task. Costs 5 us a
// task, no symbols are looked up. In a task or between tasks of a run, on its thread; else throws
// MisuseError. Not a checkpoint. Mirrors what one builds from trio.lowlevel.current_root_task.
TaskTree task_tree();

// The public function of trio or tractor that a task waits in: of those on its stack above the
// program's own code, the one that this code called ("trio::sleep"). Empty if there is none.
// Expects symbolized frames. Not a checkpoint; any thread.
std::string waits_in(std::vector<StackFrame> const& frames);

// The tree as text, each line after `indent`; looks symbols up. Not a checkpoint; any thread.
//
//   - main: parked for 12.30 s in trio::open_nursery
//         amain() at main.cpp:12
//       - worker 1: running
//             burn(int) at main.cpp:30
//       - worker 2: parked for 0.51 s in trio::sleep, cancelled
//             nap() at main.cpp:35
std::string format(TaskTree const& tree, std::string_view indent = {});

struct TaskTreeOptions {
  int signal = SIGUSR1;
  // The descriptor that is written to.
  int output = STDERR_FILENO;
  // The line above the tree.
  std::string heading = "Tasks:";
  // Called after each printing, on the printing thread; it must not throw.
  std::function<void()> afterwards = {};
  // Memory for this much is put aside. Of more tasks than that, the youngest are only counted; of
  // deeper stacks, the outermost frames are left out. 64 frames at most.
  std::size_t max_tasks = 1000;
  std::size_t max_frames = 32;
};

// While it lives, the signal prints the tree of the run in which it was made, in one write: even if
// a task computes without ever stopping. The stacks are taken in the signal handler, at once; a
// thread of its own finds the symbols and prints. A signal that comes meanwhile is dropped.
// Whichever thread gets the signal passes it on to the run's thread.
//
// One at a time in a process. Make it and let it go on the run's thread, in a task. It leaves the
// signal as it found it.
class TaskTreeOnSignal {
 public:
  // Throws MisuseError outside of a run, or if there is another one in the process; std::bad_alloc,
  // std::system_error. Not a checkpoint.
  explicit TaskTreeOnSignal(TaskTreeOptions options = {});
  TaskTreeOnSignal(TaskTreeOnSignal const&) = delete;
  TaskTreeOnSignal& operator=(TaskTreeOnSignal const&) = delete;
  // Waits for a printing under way. Not a checkpoint.
  ~TaskTreeOnSignal();

 private:
  class Printer;
  std::unique_ptr<Printer> printer_;
};

}  // namespace trio
