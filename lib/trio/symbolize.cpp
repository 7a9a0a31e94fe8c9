// SPDX-License-Identifier: BSL-1.0
#include "frame_kind.hpp"
#include "modules.hpp"
#include <trio/detail/type_name.hpp>

#include <trio/stack_trace.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <utility>

#include <backtrace.h>

namespace trio {

namespace {

// Debug information that is missing or broken is no error: there is less to show then.
void on_error(void*, char const*, int) {}

// libbacktrace's cache of debug information; it cannot be freed.
backtrace_state* symbols() {
  static backtrace_state* const state = backtrace_create_state(nullptr, 1, on_error, nullptr);
  return state;
}

struct Line {
  // As the linker has it, if it has one; else the bare name in the source.
  std::string name = {};
  std::string file = {};
  int line = 0;
};

std::string readable_function(Line const& line, StackFrame::Kind kind) {
  constexpr std::string_view long_string =
      "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >";
  std::string name = detail::demangle(line.name.c_str());
  for (std::size_t at; (at = name.find(long_string)) != name.npos;)
    name.replace(at, long_string.size(), "std::string");
  bool const is_bare = !line.name.starts_with("_Z");
  if (kind != StackFrame::Kind::library || !is_bare) return name;
  return (line.file.find("/tractor/") == line.file.npos ? "trio::" : "tractor::") + name;
}

// One for each function that is inlined there, innermost first, and one for the function itself.
std::vector<Line> lines_at(std::uintptr_t address) {
  std::vector<Line> lines;
  backtrace_pcinfo(
      symbols(), address,
      [](void* found, std::uintptr_t, char const* file, int line, char const* function) {
        Line here;
        if (function) here.name = function;
        if (file) here.file = std::filesystem::path(file).lexically_normal();
        here.line = line;
        static_cast<std::vector<Line>*>(found)->push_back(std::move(here));
        return 0;
      },
      on_error, &lines);
  if (lines.empty()) lines.emplace_back();
  // The debug information has only the bare name of some functions.
  Line& outermost = lines.back();
  if (outermost.name.starts_with("_Z")) return lines;
  backtrace_syminfo(
      symbols(), address,
      [](void* name, std::uintptr_t, char const* symbol, std::uintptr_t, std::uintptr_t) {
        if (symbol) *static_cast<std::string*>(name) = symbol;
      },
      on_error, &outermost.name);
  return lines;
}

}  // namespace

void symbolize(std::vector<StackFrame>& frames) {
  auto const modules = detail::loaded_modules();
  std::vector<StackFrame> symbolized;
  symbolized.reserve(frames.size());
  for (StackFrame& frame : frames) {
    auto const module =
        std::find_if(modules.begin(), modules.end(),
                     [&](detail::Module const& loaded) { return loaded.path == frame.module; });
    if (!frame.function.empty() || module == modules.end()) {
      symbolized.push_back(std::move(frame));
      continue;
    }
    for (Line& line : lines_at(module->base + frame.offset)) {
      StackFrame& shown = symbolized.emplace_back();
      shown.module = frame.module;
      shown.offset = frame.offset;
      shown.kind = detail::kind_of_function(line.name, line.file);
      shown.function = readable_function(line, shown.kind);
      shown.file = std::move(line.file);
      shown.line = line.line;
    }
  }
  frames = std::move(symbolized);
}

}  // namespace trio
