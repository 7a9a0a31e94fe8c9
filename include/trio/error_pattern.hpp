// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/detail/type_name.hpp>
#include <trio/exception_group.hpp>

#include <exception>
#include <functional>
#include <iosfwd>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace trio::testing {

// What an exception should be, for tests of code that throws groups. Made by of() and group():
//
//   auto const expected = group(of<KeyError>(), group(of<ValueError>("bad port")));
//   raises(expected, [] { trio::run(amain); });
//   CHECK(matches(error, expected));                    // in a test framework of one's choice
//
// Mirrors trio.testing.Matcher and RaisesGroup.
class ErrorPattern {
 public:
  using Accepts = std::function<bool(std::exception_ptr const&)>;

  // `text` says what `accepts` accepts.
  ErrorPattern(std::string text, Accepts accepts)
      : text_(std::move(text)), accepts_(std::move(accepts)) {}

  // Whether it is what it should be; null (no exception) never is.
  bool accepts(std::exception_ptr const& error) const { return error && accepts_(error); }

  // "group(KeyError, group(ValueError(bad port)))".
  std::string const& text() const noexcept { return text_; }

 private:
  std::string text_;
  Accepts accepts_;
};

// A T (a class) or something derived from it; no group.
template <class T> ErrorPattern of() {
  return ErrorPattern(trio::detail::type_name(typeid(T)), [](std::exception_ptr const& error) {
    return !exception_cast<BaseExceptionGroup>(error) && exception_cast<T>(error) != nullptr;
  });
}

// The same, if `holds(T const&)`.
template <class T, class Holds>
  requires std::is_invocable_r_v<bool, Holds const&, T const&>
ErrorPattern of(Holds holds) {
  return ErrorPattern(of<T>().text() + "(with a condition)",
                      [type = of<T>(), holds = std::move(holds)](std::exception_ptr const& error) {
                        return type.accepts(error) && holds(*exception_cast<T>(error));
                      });
}

// The same, with this what().
template <class T> ErrorPattern of(std::string const& what) {
  return ErrorPattern(of<T>().text() + "(" + what + ")",
                      [type = of<T>(), what](std::exception_ptr const& error) {
                        return type.accepts(error) && exception_cast<T>(error)->what() == what;
                      });
}

// A group with exactly these members, in whatever order, and of the type that becomes them: an
// ExceptionGroup only if every leaf is a std::exception.
ErrorPattern group(std::vector<ErrorPattern> members);

template <class... P> ErrorPattern group(ErrorPattern first, P... others) {
  return group(std::vector<ErrorPattern>{std::move(first), std::move(others)...});
}

// Whether an exception fits a pattern, and in words, what came and what was wanted.
struct [[nodiscard]] Verdict {
  bool fits;
  std::string text;

  explicit operator bool() const noexcept { return fits; }

  friend std::ostream& operator<<(std::ostream& out, Verdict const& verdict);
};

// `error` may be null. Not a checkpoint; any thread.
Verdict matches(std::exception_ptr const& error, ErrorPattern const& pattern);

// Throws std::logic_error, with the verdict, unless `body` throws what fits.
template <class Body> void raises(ErrorPattern const& pattern, Body&& body) {
  auto const verdict =
      matches(trio::detail::caught_from([&] { std::invoke(std::forward<Body>(body)); }), pattern);
  if (!verdict) throw std::logic_error("trio: raises: " + verdict.text);
}

}  // namespace trio::testing
