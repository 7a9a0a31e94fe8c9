// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/cancelled.hpp>
#include <trio/exception_group.hpp>
#include <trio/nursery.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <iterator>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

// Several functions at once, each in a task of a nursery that nobody sees: any_of, all_of, most_of
// and race. All of them wait until every task has ended, whoever came first.
//
//   auto [page, late] = trio::any_of([&] { return fetch(url); }, [] { trio::sleep(3s); });
//   if (page) ...
//
//   auto [user, orders] = trio::all_of([&] { return load_user(id); }, [&] { return load_orders(id);
//   });
//
// Functions that are known only at run time come in a range (a vector of lambdas of one type, or of
// std::function): the results then stand in a vector, in the order of the functions. Where a
// function returns nothing, its result is a std::monostate. Functions are called where they stand,
// not copied.
//
// If one throws, the others are cancelled, and all errors are thrown in one exception group, as by
// open_nursery, even if it is only one. Cancelled from outside, a combinator throws Cancelled in a
// group as a nursery does, unless it has something to return: what has been done is not lost, and
// the next checkpoint throws. They are checkpoints as their functions are, and let others run
// always. They throw MisuseError outside a task.
namespace trio {

// Which of a range's functions came first, and what it returned.
template <class T> struct Winner {
  std::size_t index;
  T value;
};

namespace detail {

template <class R> using Kept = std::conditional_t<std::is_void_v<R>, std::monostate, R>;

template <class F> struct FunctionResult {
  static constexpr bool callable = std::is_invocable_v<F&>;
  static_assert(callable,
                "trio: any_of, all_of, most_of and race take functions without parameters; write "
                "[&] { return fn(arguments); }");
  // Where it is none, one error is enough.
  using type = typename std::conditional_t<callable, std::invoke_result<F&>,
                                           std::type_identity<std::monostate>>::type;
  static_assert(
      !std::is_reference_v<type>,
      "trio: a function given to any_of, all_of, most_of or race must return a value, not "
      "a reference");
};

template <class F> using ResultOf = Kept<typename FunctionResult<std::remove_reference_t<F>>::type>;

template <class Range> using FunctionOf = std::ranges::range_reference_t<Range>;

template <class F> ResultOf<F> result_of(F& fn) {
  if constexpr (std::is_same_v<ResultOf<F>, std::monostate>) {
    if constexpr (std::is_invocable_v<F&>) static_cast<void>(std::invoke(fn));
    return {};
  } else {
    return std::invoke(fn);
  }
}

// A task that calls `fn` and gives its result to `keep`; named after fn.
template <class F, class Keep> struct Entrant : Wrapper {
  Entrant(F& function, Keep keeps) : fn(function), keep(std::move(keeps)) {}

  F& fn;
  Keep keep;

  void operator()() { keep(result_of(fn)); }
};

enum class Until { all_have_ended, one_has_returned };

// Runs what `start_all(start)` starts by start(fn, keep) in one nursery.
template <class StartAll> void run_together(Until until, StartAll const& start_all) {
  open_nursery([&](Nursery& nursery) {
    start_all([&](auto& fn, auto keep) {
      auto keep_and_end = [&nursery, until, keep = std::move(keep)](auto&& result) {
        keep(std::move(result));
        if (until == Until::one_has_returned) nursery.cancel_scope().cancel("another was first");
      };
      nursery.start_soon(Entrant(fn, std::move(keep_and_end)));
    });
  });
}

// The same; a Cancelled from outside does not matter if `has_result()`.
template <class StartAll, class HasResult>
void run_for_some(Until until, StartAll const& start_all, HasResult const& has_result) {
  auto const error = caught_from([&] { run_together(until, start_all); });
  if (!error) return;
  bool const only_cancelled = !sieve(error, [](std::exception_ptr const& leaf) {
    return exception_cast<Cancelled>(leaf) != nullptr;
  });
  if (!only_cancelled || !has_result()) std::rethrow_exception(error);
}

// Calls start(function, keep) for each function; keep puts its result into the same place of
// `results`.
template <class Results, class... F> auto start_each(Results& results, F&... fns) {
  return [&results, fns = std::tie(fns...)](auto const& start) {
    [&]<std::size_t... i>(std::index_sequence<i...>) {
      (start(std::get<i>(fns),
             [&results](auto&& result) { std::get<i>(results).emplace(std::move(result)); }),
       ...);
    }(std::index_sequence_for<F...>());
  };
}

template <class Results, class Range> auto start_each_in(Results& results, Range& fns) {
  return [&results, &fns](auto const& start) {
    std::size_t i = 0;
    for (auto& fn : fns)
      start(fn, [&results, at = i++](auto&& result) { results[at].emplace(std::move(result)); });
  };
}

template <class... F> auto some_of(Until until, F&... fns) {
  std::tuple<std::optional<ResultOf<F>>...> results;
  run_for_some(until, start_each(results, fns...), [&] {
    return std::apply([](auto const&... result) { return (result.has_value() || ...); }, results);
  });
  return results;
}

template <class Range> auto some_in(Until until, Range& fns) {
  std::vector<std::optional<ResultOf<FunctionOf<Range>>>> results(
      static_cast<std::size_t>(std::ranges::distance(fns)));
  run_for_some(until, start_each_in(results, fns), [&] {
    for (auto const& result : results)
      if (result) return true;
    return false;
  });
  return results;
}

}  // namespace detail

// Runs the functions together until one has returned, cancels the others, and waits for them. A
// tuple of what they returned, as optionals: that of the first, and of others which had returned as
// well before the cancellation reached them. corral's anyOf.
template <class... F> auto any_of(F&&... fns) {
  static_assert(sizeof...(F) > 0, "trio: any_of needs a function, or nobody could be first");
  return detail::some_of(detail::Until::one_has_returned, fns...);
}

// The same for a range, as a vector of optionals, which is empty at once if the range is.
template <std::ranges::forward_range Range> auto any_of(Range&& fns) {
  return detail::some_in(detail::Until::one_has_returned, fns);
}

// Runs the functions together until all have ended; what they returned. If it is cancelled from
// outside meanwhile, what had been returned is lost: see most_of. corral's allOf.
template <class... F> auto all_of(F&&... fns) {
  std::tuple<std::optional<detail::ResultOf<F>>...> results;
  detail::run_together(detail::Until::all_have_ended, detail::start_each(results, fns...));
  return std::apply(
      [](auto&... result) {
        return std::tuple<detail::ResultOf<F>...>(std::move(result).value()...);
      },
      results);
}

// The same for a range, as a vector.
template <std::ranges::forward_range Range> auto all_of(Range&& fns) {
  using Result = detail::ResultOf<detail::FunctionOf<Range>>;
  std::vector<std::optional<Result>> results(static_cast<std::size_t>(std::ranges::distance(fns)));
  detail::run_together(detail::Until::all_have_ended, detail::start_each_in(results, fns));
  std::vector<Result> values;
  values.reserve(results.size());
  for (auto& result : results) values.push_back(std::move(result).value());
  return values;
}

// Runs the functions together until all have ended, or it is cancelled from outside: a tuple of
// what they have returned by then, as optionals. If that is nothing, throws Cancelled in a group.
// corral's mostOf.
template <class... F> auto most_of(F&&... fns) {
  return detail::some_of(detail::Until::all_have_ended, fns...);
}

// The same for a range, as a vector of optionals.
template <std::ranges::forward_range Range> auto most_of(Range&& fns) {
  return detail::some_in(detail::Until::all_have_ended, fns);
}

// Runs the functions together until one has returned, cancels the others, and waits for them. A
// variant of what the first returned: its index() is that of the function. What others still return
// is dropped. any_of keeps it.
template <class... F> auto race(F&&... fns) {
  static_assert(sizeof...(F) > 0, "trio: race needs a function, or nobody could be first");
  std::optional<std::variant<detail::ResultOf<F>...>> winner;
  auto const functions = std::tie(fns...);
  auto const start_all = [&](auto const& start) {
    [&]<std::size_t... i>(std::index_sequence<i...>) {
      (start(std::get<i>(functions),
             [&winner](auto&& result) {
               if (!winner) winner.emplace(std::in_place_index<i>, std::move(result));
             }),
       ...);
    }(std::index_sequence_for<F...>());
  };
  detail::run_for_some(detail::Until::one_has_returned, start_all,
                       [&] { return winner.has_value(); });
  return std::move(winner).value();
}

// The same for a range; throws std::invalid_argument if it is empty.
template <std::ranges::forward_range Range> auto race(Range&& fns) {
  if (std::ranges::empty(fns))
    throw std::invalid_argument("trio: race needs a function, or nobody could be first");
  std::optional<Winner<detail::ResultOf<detail::FunctionOf<Range>>>> winner;
  auto const start_all = [&](auto const& start) {
    std::size_t i = 0;
    for (auto& fn : fns)
      start(fn, [&winner, at = i++](auto&& result) {
        if (!winner) winner.emplace(at, std::move(result));
      });
  };
  detail::run_for_some(detail::Until::one_has_returned, start_all,
                       [&] { return winner.has_value(); });
  return std::move(winner).value();
}

}  // namespace trio
