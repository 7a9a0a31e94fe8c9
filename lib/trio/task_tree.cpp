// SPDX-License-Identifier: BSL-1.0
#include "frame_kind.hpp"
#include "runner.hpp"
#include "task_capture.hpp"
#include "unwind.hpp"

#include <trio/task_tree.hpp>

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

namespace trio {

namespace {

std::string name_of(TaskTree const& task) {
  if (!task.function) return task.name;
  auto frames = frames_of({task.function});
  symbolize(frames);
  return frames.back().function.empty() ? task.name : detail::short_name(frames.back().function);
}

std::string state_of(TaskTree const& task, std::vector<StackFrame> const& frames) {
  switch (task.state) {
    case TaskState::running:
      return "running";
    case TaskState::ready:
      return "ready";
    case TaskState::parked:
      break;
  }
  using Seconds = std::chrono::duration<double>;
  std::string text =
      fmt::format("parked for {:.2f} s", Seconds(task.parked_for.nanoseconds()).count());
  if (auto const function = waits_in(frames); !function.empty()) text += " in " + function;
  return text;
}

// Without the function that the task waits in: its state has it already.
std::string stack_of(std::vector<StackFrame> const& frames, std::string_view indent) {
  auto const first = std::ranges::find(frames, StackFrame::Kind::user, &StackFrame::kind);
  return format(std::vector<StackFrame>(first, frames.end()), indent);
}

void add(TaskTree const& task, std::string const& indent, std::string& text) {
  auto frames = frames_of(task.stack);
  symbolize(frames);
  text += fmt::format("{}- {}: {}{}\n", indent, name_of(task), state_of(task, frames),
                      task.cancelled ? ", cancelled" : "");
  text += stack_of(frames, indent + "      ");
  for (std::size_t i = 0; i < task.nurseries.size(); ++i) {
    if (task.nurseries.size() > 1) text += fmt::format("{}    nursery {}:\n", indent, i + 1);
    for (TaskTree const& child : task.nurseries[i]) add(child, indent + "    ", text);
  }
}

}  // namespace

TaskTree task_tree() {
  auto const& runner = detail::Runner::current();
  detail::TaskCapture capture(runner.statistics().tasks_living, detail::most_frames);
  capture.take(runner, detail::walk_own_stack);
  return capture.tree();
}

std::string waits_in(std::vector<StackFrame> const& frames) {
  std::string name;
  for (StackFrame const& frame : frames) {
    if (frame.kind == StackFrame::Kind::user) break;
    if (frame.kind == StackFrame::Kind::library) name = detail::short_name(frame.function);
  }
  return name;
}

std::string format(TaskTree const& tree, std::string_view indent) {
  std::string text;
  add(tree, std::string(indent), text);
  if (tree.left_out > 0) text += fmt::format("{}... and {} more\n", indent, tree.left_out);
  return text;
}

}  // namespace trio
