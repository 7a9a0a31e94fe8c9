// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/cancel_scope.hpp>
#include <trio/detail/guarded.hpp>
#include <trio/exception_group.hpp>
#include <trio/lowlevel.hpp>
#include <trio/nursery.hpp>

#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

// What must end in order: work before what it works with, and clean-up within a bounded time.
namespace trio {

namespace detail {

// Opens a nursery that is nobody else's business: throws the only error in it as it is.
template <class Body> auto open_own_nursery(Body&& body) {
  std::exception_ptr error;
  try {
    return open_nursery(std::forward<Body>(body));
  } catch (BaseExceptionGroup const&) {
    error = std::current_exception();
  }
  rethrow_single(error);
}

// Cancels a scope when it goes.
struct CancelAtEnd {
  CancelScope& scope;
  char const* why;

  ~CancelAtEnd() { scope.cancel(why); }
};

// `first` and `second` in a group, or the one that is there; nothing if there is none.
void rethrow_either(std::exception_ptr first, std::exception_ptr second);

}  // namespace detail

// Runs `work` while `background` runs in a task of its own, cancels the background, waits for it,
// and returns what the work returned: the work is gone, its destructors and clean-up included,
// before anything happens to the background.
//
//   trio::with(
//       [&](trio::TaskStatus<Connection*>& status) { keep_connected(host, status); },
//       [&](Connection* connection) { return connection->query(question); });
//
// In a plain nursery both would be cancelled at once, and the work could not say goodbye over its
// connection. A background that takes a TaskStatus<T>& is waited for until it has started, and the
// work is given what it reported, if it wants it; until then whatever cancels the caller cancels
// the background. Afterwards the background hears of nothing until the work is gone: its scope is
// shielded. It may end before. If it fails, the work is cancelled.
//
// A checkpoint, unless the background is a plain function and the work is none. Throws the error of
// the work or of the background as it is, MultipleErrors if both fail, MisuseError as
// Nursery::start does, or outside a task. corral's CORRAL_WITH.
template <class Background, class Work> auto with(Background&& background, Work&& work) {
  using Function = std::remove_reference_t<Background>;
  constexpr bool plain = std::is_invocable_v<Function&>;
  constexpr bool reports = !plain && detail::ReportsStarted<std::remove_const_t<Function>>;
  static_assert(plain || reports,
                "trio: with(background, work): the background takes nothing, or a "
                "trio::TaskStatus<T>& (not auto&)");
  CancelScope scope;
  return detail::open_own_nursery([&](Nursery& nursery) {
    detail::CancelAtEnd const end{scope, "the work is done"};
    if constexpr (plain) {
      nursery.start_soon([&] { static_cast<void>(scope.enter([&] { std::invoke(background); })); });
      scope.set_shield(true);
      return std::invoke(work);
    } else if constexpr (reports) {
      using Status = detail::LastParameter<std::remove_const_t<Function>>;
      using T = typename detail::StatusValue<typename Status::type>::type;
      auto const enter = [&](TaskStatus<T>& status) {
        static_cast<void>(scope.enter([&] { std::invoke(background, status); }));
      };
      auto const shield = [&] {
        // A cancellation that has reached the background already must not leave the work without
        // it.
        lowlevel::checkpoint();
        scope.set_shield(true);
      };
      if constexpr (std::is_void_v<T>) {
        nursery.start<T>(enter);
        shield();
        return std::invoke(work);
      } else {
        T value = nursery.start<T>(enter);
        shield();
        if constexpr (std::is_invocable_v<Work&, T&>)
          return std::invoke(work, value);
        else if constexpr (std::is_invocable_v<Work&, T>)
          return std::invoke(work, std::move(value));
        else
          return std::invoke(work);
      }
    }
  });
}

// Runs `clean_up` where no cancellation from outside reaches it, for `timeout` at the most: for the
// end of things, which must happen and must not hang. What is not done by then is cancelled, and
// the outcome says so. Throws what the clean-up throws, std::invalid_argument if the timeout is
// negative, MisuseError outside a task. Not itself a checkpoint.
//
//   } catch (...) {
//     trio::finally_shielded(2s, [&] { connection.say_goodbye(); });
//     throw;
//   }
template <class CleanUp> auto finally_shielded(Duration timeout, CleanUp&& clean_up) {
  return CancelScope::after(timeout, true).enter(std::forward<CleanUp>(clean_up));
}

// Runs `body`, then `clean_up` as above, however the body has ended; returns what the body
// returned. If both throw, throws a group of both.
//
//   return trio::finally_shielded(2s, [&] { connection.say_goodbye(); },
//                                 [&] { return connection.query(question); });
template <class CleanUp, class Body>
auto finally_shielded(Duration timeout, CleanUp&& clean_up, Body&& body) {
  using Result = std::invoke_result_t<Body>;
  static_assert(!std::is_reference_v<Result>,
                "trio: the body of finally_shielded must return a value, not a reference");
  // First of all, as it refuses a negative timeout.
  CancelScope scope = CancelScope::after(timeout, true);
  std::conditional_t<std::is_void_v<Result>, bool, std::optional<Result>> result{};
  auto error = detail::caught_from([&] {
    if constexpr (std::is_void_v<Result>)
      std::invoke(std::forward<Body>(body));
    else
      result.emplace(std::invoke(std::forward<Body>(body)));
  });
  detail::rethrow_either(std::move(error), detail::caught_from([&] {
                           static_cast<void>(scope.enter(std::forward<CleanUp>(clean_up)));
                         }));
  if constexpr (!std::is_void_v<Result>) return std::move(*result);
}

}  // namespace trio
