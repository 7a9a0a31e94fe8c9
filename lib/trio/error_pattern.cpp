// SPDX-License-Identifier: BSL-1.0
#include <trio/error_pattern.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <ostream>

namespace trio::testing {

namespace {

// Gives each pattern a member of its own: as many patterns as members, each fitting.
class Pairing {
 public:
  Pairing(std::vector<ErrorPattern> const& patterns, std::vector<std::exception_ptr> const& members)
      : patterns_(patterns), members_(members), taken_by_(members.size()) {}

  bool is_complete() {
    if (patterns_.size() != members_.size()) return false;
    for (std::size_t pattern = 0; pattern < patterns_.size(); ++pattern) {
      asked_.assign(members_.size(), false);
      if (!give_member_to(pattern)) return false;
    }
    return true;
  }

 private:
  // Whoever has what it wants takes another, if there is one.
  bool give_member_to(std::size_t pattern) {
    for (std::size_t member = 0; member < members_.size(); ++member) {
      if (asked_[member] || !patterns_[pattern].accepts(members_[member])) continue;
      asked_[member] = true;
      if (!taken_by_[member] || give_member_to(*taken_by_[member])) {
        taken_by_[member] = pattern;
        return true;
      }
    }
    return false;
  }

  std::vector<ErrorPattern> const& patterns_;
  std::vector<std::exception_ptr> const& members_;
  std::vector<std::optional<std::size_t>> taken_by_;
  std::vector<bool> asked_;
};

bool is_error(std::exception_ptr const& error) {
  return exception_cast<std::exception>(error) != nullptr;
}

bool fits(std::exception_ptr const& error, std::vector<ErrorPattern> const& members) {
  auto const* got = exception_cast<BaseExceptionGroup>(error);
  return got && Pairing(members, got->exceptions()).is_complete() &&
         is_error(error) == std::ranges::all_of(got->leaves(), is_error);
}

}  // namespace

ErrorPattern group(std::vector<ErrorPattern> members) {
  std::string text = "group(";
  for (ErrorPattern const& member : members)
    text += (&member == &members.front() ? "" : ", ") + member.text();
  return ErrorPattern(text + ")", [members = std::move(members)](std::exception_ptr const& error) {
    return fits(error, members);
  });
}

std::ostream& operator<<(std::ostream& out, Verdict const& verdict) { return out << verdict.text; }

Verdict matches(std::exception_ptr const& error, ErrorPattern const& pattern) {
  return {pattern.accepts(error),
          (error ? describe(error) : "nothing thrown") + " against " + pattern.text()};
}

}  // namespace trio::testing
