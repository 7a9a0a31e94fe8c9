// SPDX-License-Identifier: BSL-1.0
#include <tractor/errors.hpp>
#include <tractor/expose.hpp>
#include <tractor/remote_origin.hpp>
#include <trio/exception_group.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/color.h>
#include <fmt/format.h>

namespace tractor {

namespace {

// Of our own build, frames come as addresses, and our own debug information has their names.
std::vector<trio::StackFrame> symbolized(BoxedError const& error) {
  std::vector<trio::StackFrame> stack = error.stack;
  if (error.build_id == build_id()) trio::symbolize(stack);
  return stack;
}

// Writes a tree, level by level to the right.
class Report {
 public:
  explicit Report(Look look) noexcept : coloured_(look == Look::coloured) {}

  void add(std::exception_ptr const& error, std::string const& indent) {
    if (auto const* remote = trio::exception_cast<RemoteOrigin>(error)) {
      add(remote->boxed(), nullptr, indent);
    } else if (auto const* group = trio::exception_cast<trio::BaseExceptionGroup>(error)) {
      headline(indent, group->message(), {});
      for (auto const& member : group->exceptions()) add(member, indent + "  ");
    } else {
      headline(indent, trio::describe(error), {});
      auto stack = trio::frames_of(trio::thrown_at(error));
      trio::symbolize(stack);
      // What the library itself throws tells where by what it says.
      auto const is_user = [](trio::StackFrame const& frame) {
        return frame.kind == trio::StackFrame::Kind::user;
      };
      if (std::any_of(stack.begin(), stack.end(), is_user)) frames(stack, indent);
    }
  }

  // `around`: the group it is in; what they have in common is said there.
  void add(BoxedError const& error, BoxedError const* around, std::string const& indent) {
    headline(indent, error.type, error.message);
    if (!around || !(around->source == error.source) || around->function != error.function)
      text_ += indent +
               faint("  thrown in actor " + describe(error.source) +
                     (error.function.empty() ? "" : ", in " + error.function)) +
               "\n";
    if (error.relay_path.size() > 1 && (!around || around->relay_path != error.relay_path)) {
      std::string by;
      for (std::size_t i = 1; i < error.relay_path.size(); ++i)
        by += (i > 1 ? ", " : "") + describe(error.relay_path[i]);
      text_ += indent + faint("  passed on by " + by) + "\n";
    }
    frames(symbolized(error), indent);
    for (BoxedError const& member : error.members) add(member, &error, indent + "  ");
  }

  std::string take() { return std::move(text_); }

 private:
  void headline(std::string const& indent, std::string const& what, std::string const& message) {
    text_ += indent;
    text_ += coloured_
                 ? fmt::format(fmt::emphasis::bold | fmt::fg(fmt::terminal_color::red), "{}", what)
                 : what;
    if (!message.empty()) text_ += ": " + message;
    text_ += '\n';
  }

  void frames(std::vector<trio::StackFrame> const& stack, std::string const& indent) {
    text_ += trio::format(stack, indent + "    ");
  }

  std::string faint(std::string const& text) const {
    return coloured_ ? fmt::format(fmt::emphasis::faint, "{}", text) : text;
  }

  bool const coloured_;
  std::string text_;
};

}  // namespace

RemoteOrigin::RemoteOrigin(BoxedError error)
    : boxed_(std::make_shared<BoxedError const>(std::move(error))) {}

std::vector<trio::StackFrame> RemoteOrigin::stack() const { return symbolized(*boxed_); }

std::string RemoteOrigin::report() const {
  Report report(Look::plain);
  report.add(*boxed_, nullptr, "");
  return report.take();
}

std::string report(std::exception_ptr const& error, Look look) {
  Report report(look);
  report.add(error, "");
  return report.take();
}

RemoteActorError::RemoteActorError(BoxedError error)
    : std::runtime_error(error.type + (error.message.empty() ? "" : ": " + error.message) +
                         " [thrown in actor " + describe(error.source) + "]"),
      RemoteOrigin(std::move(error)) {}

}  // namespace tractor
