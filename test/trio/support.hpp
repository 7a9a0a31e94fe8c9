// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/testing.hpp>
#include <trio/trio.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <numeric>
#include <ostream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

// What the tests of trio share: errors to throw, a run in virtual time, patterns for exceptions.
namespace support {

using namespace std::chrono_literals;

struct KeyError : std::runtime_error {
  explicit KeyError(std::string const& what = "key") : std::runtime_error(what) {}
};

struct ValueError : std::runtime_error {
  explicit ValueError(std::string const& what = "value") : std::runtime_error(what) {}
};

// What happened, in order.
using Log = std::vector<std::string>;

// Runs `fn()` or `fn(clock)` as the main task, on a MockClock that jumps over every wait.
template <class F> auto run(F&& fn) {
  trio::testing::MockClock clock = trio::testing::MockClock::autojumping();
  trio::RunOptions options;
  options.clock = &clock;
  if constexpr (std::is_invocable_v<F&>)
    return trio::run(options, std::forward<F>(fn));
  else
    return trio::run(options, std::forward<F>(fn), std::ref(clock));
}

// Runs something when it is destroyed.
struct AtEnd {
  std::function<void()> action;

  ~AtEnd() { action(); }
};

// Runs `body` in the scope, for its effects.
template <class Body> void within(trio::CancelScope& scope, Body&& body) {
  static_cast<void>(scope.enter(std::forward<Body>(body)));
}

// Lets every other task get as far as it can, whatever is cancelled around the caller.
inline void let_others_block() {
  trio::shielded([] { trio::testing::wait_all_tasks_blocked(); });
}

// What `fn` throws; null if it returns.
template <class F> std::exception_ptr thrown_by(F&& fn) {
  try {
    static_cast<void>(std::forward<F>(fn)());
  } catch (...) {
    return std::current_exception();
  }
  return nullptr;
}

// What an exception should be: see of() and group().
class Pattern {
 public:
  using Accepts = std::function<bool(std::exception_ptr const&)>;

  Pattern(std::string text, Accepts accepts)
      : text_(std::move(text)), accepts_(std::move(accepts)) {}

  bool accepts(std::exception_ptr const& error) const { return accepts_(error); }

  std::string const& text() const noexcept { return text_; }

 private:
  std::string text_;
  Accepts accepts_;
};

// A T or something derived from it; no group.
template <class T> Pattern of() {
  return Pattern(typeid(T).name(), [](std::exception_ptr const& error) {
    return !trio::exception_cast<trio::BaseExceptionGroup>(error) &&
           trio::exception_cast<T>(error) != nullptr;
  });
}

// The same, with this what().
template <class T> Pattern of(std::string const& what) {
  return Pattern(of<T>().text() + "(" + what + ")", [what](std::exception_ptr const& error) {
    return of<T>().accepts(error) && trio::exception_cast<T>(error)->what() == what;
  });
}

// A group with exactly these members, in any order, and of the type that becomes them.
template <class... P> Pattern group(P... members) {
  std::vector<Pattern> const wanted{std::move(members)...};
  std::string text = "group(";
  for (Pattern const& member : wanted) text += (&member == &wanted[0] ? "" : ", ") + member.text();
  return Pattern(text + ")", [wanted](std::exception_ptr const& error) {
    auto const* got = trio::exception_cast<trio::BaseExceptionGroup>(error);
    if (!got || got->exceptions().size() != wanted.size()) return false;
    bool const only_errors = std::ranges::all_of(got->leaves(), [](auto const& leaf) {
      return trio::exception_cast<std::exception>(leaf) != nullptr;
    });
    if (only_errors != (trio::exception_cast<std::exception>(error) != nullptr)) return false;
    std::vector<std::size_t> order(wanted.size());
    std::iota(order.begin(), order.end(), 0u);
    do {
      bool const fits = std::ranges::all_of(order, [&, i = std::size_t{0}](std::size_t at) mutable {
        return wanted[i++].accepts(got->exceptions()[at]);
      });
      if (fits) return true;
    } while (std::ranges::next_permutation(order).found);
    return false;
  });
}

// Whether an exception fits a pattern, and for a failed CHECK, what was wanted and what came.
struct Verdict {
  bool fits;
  std::string text;

  explicit operator bool() const noexcept { return fits; }

  friend std::ostream& operator<<(std::ostream& out, Verdict const& verdict) {
    return out << verdict.text;
  }
};

inline Verdict matches(std::exception_ptr const& error, Pattern const& pattern) {
  return {pattern.accepts(error), trio::describe(error) + " against " + pattern.text()};
}

}  // namespace support

// How a failed CHECK shows what doctest does not know.
namespace doctest {

template <> struct StringMaker<std::exception_ptr> {
  static String convert(std::exception_ptr const& error) { return trio::describe(error).c_str(); }
};

template <class Rep, class Period> struct StringMaker<std::chrono::duration<Rep, Period>> {
  static String convert(std::chrono::duration<Rep, Period> length) {
    return (std::to_string(std::chrono::nanoseconds(length).count()) + "ns").c_str();
  }
};

template <> struct StringMaker<trio::Duration> {
  static String convert(trio::Duration length) { return toString(length.nanoseconds()); }
};

template <> struct StringMaker<trio::Time> {
  static String convert(trio::Time time) { return toString(time.time_since_epoch()); }
};

template <class T> struct StringMaker<std::vector<T>> {
  static String convert(std::vector<T> const& items) {
    String text = "{";
    for (auto const& item : items) text += (&item == &items[0] ? "" : ", ") + toString(item);
    return text + "}";
  }
};

}  // namespace doctest
