// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/testing.hpp>
#include <trio/trio.hpp>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
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

// With TRIO_TEST_SEED in the environment, what is ready at once runs in an order that this chooses.
inline std::optional<std::uint64_t> order_of_tests() {
  char const* const seed = std::getenv("TRIO_TEST_SEED");
  return seed ? std::optional(std::strtoull(seed, nullptr, 10)) : std::nullopt;
}

// Runs `fn()` or `fn(clock)` as the main task, on a MockClock that jumps over every wait.
template <class F> auto run(F&& fn) {
  trio::testing::MockClock clock = trio::testing::MockClock::autojumping();
  trio::RunOptions options;
  options.clock = &clock;
  options.shuffle_seed = order_of_tests();
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

// Runs `fn` in a run that has no stack left for any task more. It throws TrioInternalError if `fn`
// has started a system task.
template <class F> void run_without_stacks(F&& fn) {
  trio::RunOptions options;
  // There is room in the address space for one slab of 16, but not for two; the run itself has 3.
  options.stack_size = std::size_t{1} << 42;
  trio::run(options, [&] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int i = 0; i < 13; ++i) nursery.start_soon(trio::sleep_forever);
      trio::lowlevel::checkpoint();
      fn();
      nursery.cancel_scope().cancel();
    });
  });
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

using trio::testing::group;
using trio::testing::matches;
using trio::testing::of;

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
