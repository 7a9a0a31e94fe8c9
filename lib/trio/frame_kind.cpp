// SPDX-License-Identifier: BSL-1.0
#include "frame_kind.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>

namespace trio::detail {

namespace {

using Kind = StackFrame::Kind;

// Namespaces whose public functions people call and want to see; and what is never seen of others.
// tractor stands here too: its frames are on the stacks of its tasks.
constexpr std::array<std::string_view, 2> library_namespaces = {"trio", "tractor"};
constexpr std::array<std::string_view, 4> internal_namespaces = {"std", "__gnu_cxx", "__cxxabiv1",
                                                                 "boost"};
// Parts of these namespaces that are their insides.
constexpr std::array<std::string_view, 4> internal_parts = {"runtime", "ipc", "spawn", "wire"};
// Functions with C names, by how these begin.
constexpr std::array<std::string_view, 21> internal_functions = {
    "_Unwind_",       "__cxa_",          "__gxx_",         "trio_guard",    "trio_walk_parked",
    "jump_fcontext",  "make_fcontext",   "ontop_fcontext", "__libc_start_", "_start",
    "start_thread",   "__clone",         "clone",          "__restore_rt",  "__kernel_rt_sigreturn",
    "__interceptor_", "___interceptor_", "__asan_",        "__tsan_",       "__ubsan_",
    "__sanitizer_"};

// What is written in these folders; an installed header is in one of them, too.
constexpr std::array<std::string_view, 2> library_folders = {"/include/trio/", "/include/tractor/"};
constexpr std::array<std::string_view, 6> internal_folders = {
    "/include/c++/", "/include/boost/",       "/lib/trio/",
    "/lib/tractor/", "/include/trio/detail/", "/include/tractor/detail/"};

bool begins_with(std::string_view text, std::string_view beginning) {
  return text.substr(0, beginning.size()) == beginning;
}

bool take(std::string_view& text, std::string_view beginning) {
  if (!begins_with(text, beginning)) return false;
  text.remove_prefix(beginning.size());
  return true;
}

// The next "<length><name>" of a mangled name; empty if something else comes.
std::string_view take_component(std::string_view& mangled) {
  std::size_t length = 0;
  std::size_t digits = 0;
  while (digits < mangled.size() && std::isdigit(static_cast<unsigned char>(mangled[digits])))
    length = length * 10 + static_cast<std::size_t>(mangled[digits++] - '0');
  if (digits == 0 || length > mangled.size() - digits) return {};
  std::string_view const component = mangled.substr(digits, length);
  mangled.remove_prefix(digits + length);
  return component;
}

template <std::size_t N>
bool is_one_of(std::string_view name, std::array<std::string_view, N> const& names) {
  return std::ranges::find(names, name) != names.end();
}

Kind kind_of_bare_name(std::string_view name, std::string_view file) {
  auto const name_begins = [name](std::string_view beginning) {
    return begins_with(name, beginning);
  };
  auto const is_in = [file](std::string_view folder) { return file.find(folder) != file.npos; };
  if (std::ranges::any_of(internal_functions, name_begins)) return Kind::internal;
  if (std::ranges::any_of(internal_folders, is_in)) return Kind::internal;
  if (!std::ranges::any_of(library_folders, is_in)) return Kind::user;
  return begins_with(name, "operator") ? Kind::internal : Kind::library;
}

}  // namespace

Kind kind_of_function(std::string_view name, std::string_view file) {
  std::string_view rest = name;
  if (!take(rest, "_Z")) return kind_of_bare_name(name, file);
  // A lambda or a class inside a function: "Z" and the function's name come first.
  bool const local = take(rest, "Z");
  while (take(rest, "Z")) {}
  bool const nested = take(rest, "N");
  while (nested && (take(rest, "K") || take(rest, "R") || take(rest, "O"))) {}
  // "St" and the like are std; an unscoped template of it as well.
  if (begins_with(rest, "St") || begins_with(rest, "Sa") || begins_with(rest, "Ss"))
    return Kind::internal;
  if (!nested) return Kind::user;
  std::string_view const outermost = take_component(rest);
  if (is_one_of(outermost, internal_namespaces)) return Kind::internal;
  if (!is_one_of(outermost, library_namespaces)) return Kind::user;
  if (local) return Kind::internal;
  for (;;) {
    std::string_view const component = take_component(rest);
    if (component.empty()) return Kind::library;
    if (is_one_of(component, internal_parts) || begins_with(component, "detail") ||
        component == "_GLOBAL__N_1")
      return Kind::internal;
  }
}

std::string short_name(std::string_view readable) {
  // Up to the parameters and without what stands in <>; what a space ends was the return type.
  constexpr std::string_view anonymous = "(anonymous namespace)::";
  std::string name;
  int depth = 0;
  for (std::size_t i = 0; i < readable.size(); ++i) {
    bool const at_word = i == 0 || readable[i - 1] == ':' || readable[i - 1] == ' ';
    if (depth == 0 && at_word && begins_with(readable.substr(i), "operator")) {
      std::size_t const end = readable.find('(', i + 9);
      return name + std::string(readable.substr(i, end == readable.npos ? end : end - i));
    }
    if (depth == 0 && at_word && readable.substr(i).starts_with(anonymous)) {
      i += anonymous.size() - 1;
      continue;
    }
    char const c = readable[i];
    if (depth > 0) {
      if (c == '<' || c == '(' || c == '{') ++depth;
      if (c == '>' || c == ')' || c == '}') --depth;
    } else if (c == '<' || (c == '(' && name == "decltype")) {
      ++depth;
    } else if (c == '(') {
      break;
    } else if (c == ' ') {
      name.clear();
    } else {
      name += c;
    }
  }
  return name;
}

}  // namespace trio::detail
