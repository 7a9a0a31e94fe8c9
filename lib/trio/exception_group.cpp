// SPDX-License-Identifier: BSL-1.0
#include "report.hpp"

#include <trio/cancelled.hpp>
#include <trio/detail/type_name.hpp>
#include <trio/errors.hpp>
#include <trio/exception_group.hpp>

#include <algorithm>
#include <stdexcept>

namespace trio {

namespace detail {

void* object_in(std::exception_ptr const& error, std::type_info const& type) noexcept {
  std::type_info const* thrown = error ? error.__cxa_exception_type() : nullptr;
  if (!thrown) return nullptr;
  // libstdc++'s exception_ptr is a pointer to the thrown object, and __do_catch is what its own
  // handlers ask: does `type` catch `thrown`, and where in the object does it begin?
  static_assert(sizeof(std::exception_ptr) == sizeof(void*));
  void* object = *reinterpret_cast<void* const*>(&error);
  return type.__do_catch(thrown, &object, 1) ? object : nullptr;
}

std::exception_ptr sieve(std::exception_ptr const& error,
                         std::function<bool(std::exception_ptr const&)> const& take) {
  auto const* group = exception_cast<BaseExceptionGroup>(error);
  if (!group) return take(error) ? nullptr : error;
  std::vector<std::exception_ptr> left;
  bool changed = false;
  for (auto const& member : group->exceptions()) {
    auto rest = sieve(member, take);
    changed = changed || rest != member;
    if (rest) left.push_back(std::move(rest));
  }
  if (!changed) return error;
  return left.empty() ? nullptr : make_exception_group(group->message(), std::move(left));
}

void rethrow_rest(std::exception_ptr rest, std::vector<std::exception_ptr> raised) {
  if (raised.empty()) {
    if (rest) std::rethrow_exception(std::move(rest));
    return;
  }
  if (rest) raised.push_back(std::move(rest));
  std::rethrow_exception(
      make_exception_group("errors thrown while handling others", std::move(raised)));
}

}  // namespace detail

namespace {

bool is_error(std::exception_ptr const& leaf_or_group) {
  return exception_cast<std::exception>(leaf_or_group) != nullptr;
}

std::string one_line(std::string const& message,
                     std::vector<std::exception_ptr> const& exceptions) {
  std::string text = message + " (" + std::to_string(exceptions.size()) +
                     (exceptions.size() == 1 ? " error: " : " errors: ");
  for (std::size_t i = 0; i < exceptions.size(); ++i)
    text += (i > 0 ? "; " : "") + describe(exceptions[i]);
  return text + ")";
}

}  // namespace

std::string detail::report(BaseExceptionGroup const& group, std::string const& indent,
                           Footnote footnote) {
  std::string text = group.message() + " (" + std::to_string(group.exceptions().size()) + "):\n";
  for (auto const& member : group.exceptions()) {
    text += indent + "  - ";
    if (auto const* inner = exception_cast<BaseExceptionGroup>(member))
      text += report(*inner, indent + "    ", footnote);
    else
      text += describe(member) + "\n" + footnote(member, indent + "      ");
  }
  return text;
}

std::string describe(std::exception_ptr const& error) {
  if (!error) return "no exception";
  if (auto const* group = exception_cast<ExceptionGroup>(error)) return group->what();
  if (auto const* group = exception_cast<BaseExceptionGroup>(error))
    return one_line(group->message(), group->exceptions());
  std::string const type = detail::type_name(*error.__cxa_exception_type());
  if (auto const* known = exception_cast<std::exception>(error)) return type + ": " + known->what();
  if (auto const* cancelled = exception_cast<Cancelled>(error))
    return type + ": " + describe(cancelled->reason());
  return type;
}

BaseExceptionGroup::BaseExceptionGroup(std::string message,
                                       std::vector<std::exception_ptr> exceptions)
    : message_(std::move(message)), exceptions_(std::move(exceptions)) {
  if (exceptions_.empty())
    throw std::invalid_argument("trio: an exception group needs at least one exception");
}

std::vector<std::exception_ptr> BaseExceptionGroup::leaves() const {
  std::vector<std::exception_ptr> found;
  for (auto const& member : exceptions_) {
    if (auto const* group = exception_cast<BaseExceptionGroup>(member)) {
      auto inner = group->leaves();
      found.insert(found.end(), inner.begin(), inner.end());
    } else {
      found.push_back(member);
    }
  }
  return found;
}

std::string BaseExceptionGroup::report() const {
  return detail::report(
      *this, "", [](std::exception_ptr const&, std::string const&) { return std::string(); });
}

ExceptionGroup::ExceptionGroup(std::string message, std::vector<std::exception_ptr> exceptions)
    : BaseExceptionGroup(std::move(message), std::move(exceptions)),
      what_(std::make_shared<std::string const>(
          one_line(this->message(), this->BaseExceptionGroup::exceptions()))) {
  if (!std::all_of(this->exceptions().begin(), this->exceptions().end(), is_error))
    throw std::invalid_argument(
        "trio: an ExceptionGroup may hold only std::exceptions; use "
        "make_exception_group");
}

std::exception_ptr make_exception_group(std::string message,
                                        std::vector<std::exception_ptr> exceptions) {
  if (std::all_of(exceptions.begin(), exceptions.end(), is_error))
    return std::make_exception_ptr(ExceptionGroup(std::move(message), std::move(exceptions)));
  return std::make_exception_ptr(BaseExceptionGroup(std::move(message), std::move(exceptions)));
}

MultipleErrors::MultipleErrors(std::exception_ptr group)
    : std::runtime_error("trio: there is more than one error: " + describe(group)),
      group_(std::move(group)) {}

void rethrow_single(std::exception_ptr const& error) {
  auto const* group = exception_cast<BaseExceptionGroup>(error);
  if (!group) std::rethrow_exception(error);
  auto const is_cancelled = [](std::exception_ptr const& leaf) {
    return exception_cast<Cancelled>(leaf) != nullptr;
  };
  std::exception_ptr single, cancelled;
  bool several = false;
  for (auto const& member : group->exceptions()) {
    if (find_in<Interrupted>(member)) std::rethrow_exception(member);
    auto& kind = detail::sieve(member, is_cancelled) ? single : cancelled;
    several = several || (&kind == &single && single);
    if (!kind) kind = member;
  }
  if (several) throw MultipleErrors(error);
  std::rethrow_exception(single ? single : cancelled);
}

}  // namespace trio
