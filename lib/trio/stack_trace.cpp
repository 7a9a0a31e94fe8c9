// SPDX-License-Identifier: BSL-1.0
#include "frame_kind.hpp"
#include "modules.hpp"
#include "report.hpp"
#include "unwind.hpp"

#include <trio/exception_group.hpp>
#include <trio/stack_trace.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

#include <fmt/format.h>

namespace trio {

namespace {

std::string line_of(StackFrame const& frame) {
  if (frame.function.empty()) return fmt::format("{}+{:#x}", frame.module, frame.offset);
  if (frame.kind == StackFrame::Kind::library) return detail::short_name(frame.function);
  if (frame.file.empty())
    return fmt::format("{} ({}+{:#x})", frame.function, frame.module, frame.offset);
  return fmt::format("{} at {}:{}", frame.function, frame.file, frame.line);
}

std::string stack_under(std::exception_ptr const& error, std::string const& indent) {
  auto frames = frames_of(thrown_at(error));
  symbolize(frames);
  return format(frames, indent);
}

}  // namespace

StackTrace current_stack() {
  std::array<void const*, detail::most_frames> frames{};
  std::size_t const count = detail::walk_own_stack(frames);
  return StackTrace(frames.begin(), frames.begin() + static_cast<std::ptrdiff_t>(count));
}

std::vector<StackFrame> frames_of(StackTrace const& stack) {
  if (stack.empty()) return {};
  auto const modules = detail::loaded_modules();
  std::vector<StackFrame> frames;
  frames.reserve(stack.size());
  for (void const* instruction : stack) {
    auto const address = reinterpret_cast<std::uintptr_t>(instruction);
    auto const module = std::find_if(
        modules.begin(), modules.end(),
        [address](detail::Module const& candidate) { return candidate.contains(address); });
    StackFrame frame;
    frame.module = module == modules.end() ? "?" : module->path;
    frame.offset = address - (module == modules.end() ? 0 : module->base);
    frames.push_back(std::move(frame));
  }
  return frames;
}

std::string format(std::vector<StackFrame> const& frames, std::string_view indent) {
  std::string text;
  auto const add = [&](StackFrame const& frame) {
    text.append(indent).append(line_of(frame)).append("\n");
  };
  // The outermost public function of those that stand between two frames of the user.
  StackFrame const* library = nullptr;
  for (StackFrame const& frame : frames) {
    if (frame.kind == StackFrame::Kind::library) library = &frame;
    if (frame.kind != StackFrame::Kind::user) continue;
    if (library) add(*library);
    library = nullptr;
    add(frame);
  }
  if (library) add(*library);
  return text;
}

std::string report_with_stacks(std::exception_ptr const& error) {
  if (auto const* group = exception_cast<BaseExceptionGroup>(error))
    return detail::report(*group, "", stack_under);
  return describe(error) + "\n" + stack_under(error, "    ");
}

}  // namespace trio
