// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/detail/guarded.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

namespace trio {

namespace detail {
// The object inside `error` as a `type`, or null if a handler for that type would not catch it.
// `type` must be a class. Costs no throw.
void* object_in(std::exception_ptr const& error, std::type_info const& type) noexcept;
}  // namespace detail

// The exception in `error` as a T (a class, or a base class of it), or null. Valid while `error`
// is.
template <class T> T* exception_cast(std::exception_ptr const& error) noexcept {
  static_assert(std::is_class_v<T>, "trio::exception_cast: exceptions are looked for by class");
  return static_cast<T*>(detail::object_in(error, typeid(T)));
}

// A one-line description of any exception: its type and, for a std::exception, its message; a group
// with its members.
std::string describe(std::exception_ptr const& error);

// Several exceptions as one: what a nursery throws, even for a single member, in the order in which
// they happened. Members may be groups. Copies share the members.
//
// A group is an ExceptionGroup (and so a std::exception) if everything in it is a std::exception;
// with a Cancelled, an Interrupted or another foreign type inside it is only a BaseExceptionGroup,
// which `catch (std::exception const&)` does not catch. Mirrors Python's BaseExceptionGroup.
class BaseExceptionGroup {
 public:
  // Throws std::invalid_argument if there is no exception. Use make_exception_group, which picks
  // the right type.
  BaseExceptionGroup(std::string message, std::vector<std::exception_ptr> exceptions);
  virtual ~BaseExceptionGroup() = default;
  BaseExceptionGroup(BaseExceptionGroup const&) = default;
  BaseExceptionGroup& operator=(BaseExceptionGroup const&) = default;

  std::string const& message() const noexcept { return message_; }

  std::vector<std::exception_ptr> const& exceptions() const noexcept { return exceptions_; }

  // The first leaf, depth first, that is a T; null if there is none. Valid while the group is.
  template <class T> T* find() const noexcept {
    for (auto const& member : exceptions_) {
      if (auto* group = exception_cast<BaseExceptionGroup>(member)) {
        if (T* found = group->find<T>()) return found;
      } else if (T* found = exception_cast<T>(member)) {
        return found;
      }
    }
    return nullptr;
  }

  // Every leaf that is a T, depth first. Valid while the group is.
  template <class T> std::vector<T*> find_all() const {
    std::vector<T*> found;
    for (auto const& leaf : leaves())
      if (T* match = exception_cast<T>(leaf)) found.push_back(match);
    return found;
  }

  // Every leaf, depth first.
  std::vector<std::exception_ptr> leaves() const;

  // The whole group as an indented tree, a line a member.
  std::string report() const;

 private:
  std::string message_;
  std::vector<std::exception_ptr> exceptions_;
};

// A group of nothing but std::exceptions. Mirrors Python's ExceptionGroup.
class ExceptionGroup : public BaseExceptionGroup, public std::exception {
 public:
  // Throws std::invalid_argument if there is no exception, or one that is no std::exception.
  ExceptionGroup(std::string message, std::vector<std::exception_ptr> exceptions);

  // One line: the message and every member.
  char const* what() const noexcept override { return what_->c_str(); }

 private:
  // Shared, so that copying cannot throw, as std::exception asks.
  std::shared_ptr<std::string const> what_;
};

// A group of these, of the right one of the two types. Throws std::invalid_argument if there is
// none.
std::exception_ptr make_exception_group(std::string message,
                                        std::vector<std::exception_ptr> exceptions);

// Thrown by rethrow_single where there is more than one error. Mirrors trio's
// MultipleExceptionError.
class MultipleErrors : public std::runtime_error {
 public:
  explicit MultipleErrors(std::exception_ptr group);

  // The group with all of them.
  std::exception_ptr const& group() const noexcept { return group_; }

 private:
  std::exception_ptr group_;
};

// For functions that keep their nursery to themselves: throws what is in the group `error` (not
// null), whose callers then need not know that there was one. The member that is or has an
// Interrupted comes first; then the only error in it, which may be a group itself; of nothing but
// Cancelled (and groups of them), the first.
// Throws MultipleErrors if there are several errors, and `error` if it is no group. Mirrors trio's
// raise_single_exception_from_group.
[[noreturn]] void rethrow_single(std::exception_ptr const& error);

namespace detail {

// `error` without the leaves that `take` takes, groups kept in shape and re-made in the right type;
// null if nothing is left, `error` itself if nothing was taken.
std::exception_ptr sieve(std::exception_ptr const& error,
                         std::function<bool(std::exception_ptr const&)> const& take);

// Throws what is left and what handlers threw themselves; returns if there is neither.
void rethrow_rest(std::exception_ptr rest, std::vector<std::exception_ptr> raised);

}  // namespace detail

// The first T in `error`: that exception itself, or the first leaf, depth first, of a group; null
// if there is none. Valid while `error` is.
//
//   } catch (...) {
//     if (auto* timeout = trio::find_in<TimeoutError>(std::current_exception())) ...
template <class T> T* find_in(std::exception_ptr const& error) noexcept {
  auto const* group = exception_cast<BaseExceptionGroup>(error);
  return group ? group->find<T>() : exception_cast<T>(error);
}

// What split() makes of an exception; each null if there is nothing of it.
struct Split {
  std::exception_ptr matching;
  std::exception_ptr rest;
};

// Divides `error`, a group or a lone exception, into what is a T and what is not. Groups keep their
// shape, and become ExceptionGroups where they can. Mirrors Python's BaseExceptionGroup.split.
template <class T> Split split(std::exception_ptr const& error) {
  auto const matches = [](std::exception_ptr const& leaf) {
    return exception_cast<T>(leaf) != nullptr;
  };
  return {detail::sieve(error, std::not_fn(matches)), detail::sieve(error, matches)};
}

namespace detail {

template <class> struct HandlerArgument {};

template <class C, class R, class A> struct HandlerArgument<R (C::*)(A)> {
  using type = std::remove_cvref_t<A>;
};

template <class C, class R, class A> struct HandlerArgument<R (C::*)(A) const>
    : HandlerArgument<R (C::*)(A)> {};

template <class C, class R, class A> struct HandlerArgument<R (C::*)(A) noexcept>
    : HandlerArgument<R (C::*)(A)> {};

template <class C, class R, class A> struct HandlerArgument<R (C::*)(A) const noexcept>
    : HandlerArgument<R (C::*)(A)> {};

template <class H> concept Handler = requires { &H::operator(); } && requires {
  typename HandlerArgument<decltype(&H::operator())>::type;
};

// Whether the handler wants `error`; if so, `handled` tells whether it has kept it.
template <class H> bool offer(std::exception_ptr const& error, H& handler,
                              std::vector<std::exception_ptr>& raised, bool& handled) {
  using Wanted = typename HandlerArgument<decltype(&H::operator())>::type;
  if (!exception_cast<Wanted>(error)) return false;
  auto thrown = caught_from([&] {
    try {
      std::rethrow_exception(error);
    } catch (Wanted& wanted) {
      handler(wanted);
    }
  });
  handled = thrown != error;
  if (thrown && handled) raised.push_back(std::move(thrown));
  return true;
}

}  // namespace detail

// Python's `try: ... except* A: ... except* B: ...`. Runs `body`; each member of a group it throws
// (or the lone exception it throws) goes to the first handler whose parameter type it is, and what
// no handler wants is rethrown, groups in their shape. Handlers may park. One that ends in `throw;`
// leaves its member where it was, as if it had not wanted it; what else a handler throws joins the
// rest in a group. Returns the body's value, in an optional that is empty if a handler stood in for
// it.
//
//   trio::catching([&] { work(); },
//                  [](KeyError const& error) { ... },
//                  [](tractor::RemoteActorError const& error) { ... });
//
// Do not handle Cancelled: it must reach its scope.
template <class Body, class... Handlers> auto catching(Body&& body, Handlers&&... handlers) {
  constexpr bool plain_handlers = (detail::Handler<std::remove_cvref_t<Handlers>> && ...);
  static_assert(plain_handlers,
                "trio::catching(body, handlers...): a handler is a lambda or function object with "
                "one parameter of a definite type, [](MyError const& error) {...}, not auto");
  if constexpr (plain_handlers) {
    using Result = std::invoke_result_t<Body>;
    std::conditional_t<std::is_void_v<Result>, bool, std::optional<Result>> result{};
    auto caught = detail::caught_from([&] {
      if constexpr (std::is_void_v<Result>)
        std::invoke(std::forward<Body>(body));
      else
        result.emplace(std::invoke(std::forward<Body>(body)));
    });
    if (caught) {
      std::vector<std::exception_ptr> raised;
      auto rest = detail::sieve(caught, [&](std::exception_ptr const& error) {
        bool handled = false;
        static_cast<void>((detail::offer(error, handlers, raised, handled) || ...));
        return handled;
      });
      caught = nullptr;
      detail::rethrow_rest(std::move(rest), std::move(raised));
    }
    if constexpr (!std::is_void_v<Result>) return result;
  }
}

}  // namespace trio
