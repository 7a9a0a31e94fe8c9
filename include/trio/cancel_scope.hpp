// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/cancelled.hpp>
#include <trio/detail/deadline_entry.hpp>
#include <trio/detail/list.hpp>
#include <trio/errors.hpp>
#include <trio/exception_group.hpp>
#include <trio/time.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace trio {

class CancelScope;
class Nursery;

// What a scope says of its body: whether it was cut short by this scope's cancellation, and the
// value it returned if it returned one.
template <class T> struct [[nodiscard]] Outcome {
  std::optional<T> value = {};
  bool cut_short = false;

  explicit operator bool() const noexcept { return value.has_value(); }

  // Throws std::bad_optional_access if the body was cut short.
  T& operator*() & { return value.value(); }

  T operator*() && { return std::move(value).value(); }
};

template <> struct Outcome<void> {
  bool cut_short = false;

  explicit operator bool() const noexcept { return !cut_short; }
};

namespace detail {
struct TaskRecord;
class Runner;
struct ChildScopeTag;
struct ScopeTaskTag;

template <class Body> concept ScopeBody =
    std::is_invocable_v<Body&> || std::is_invocable_v<Body&, CancelScope&>;

template <class Body> decltype(auto) call_scope_body(Body& body, CancelScope& scope) {
  constexpr bool callable = ScopeBody<Body>;
  static_assert(callable, "trio: the body of a cancel scope takes nothing or a CancelScope&");
  if constexpr (std::is_invocable_v<Body&>)
    return std::invoke(body);
  else if constexpr (callable)
    return std::invoke(body, scope);
}

template <class Body> using ScopeResult =
    decltype(call_scope_body(std::declval<Body&>(), std::declval<CancelScope&>()));
}  // namespace detail

// A stretch of one task's work, with everything started inside it, that can be cancelled as one.
//
//   trio::CancelScope scope(trio::after(trio::current_time(), 2s));
//   auto outcome = scope.enter([&] { return fetch(); });
//   if (outcome.cut_short) ...
//
// Cancellation is level-triggered: from cancel() on, every cancellable checkpoint inside throws
// Cancelled, until the scope's end catches it. Which scope catches is decided by the state at its
// end, not by who threw: a scope keeps a Cancelled (and those inside exception groups) if it is
// cancelled and no unshielded scope around it is. A scope is entered once, by one task, and must
// outlive its body; cancel() and the setters may be called by any task of the run, before, during
// and after. All of it is for the run's thread only: on another, cancel() and the setters throw
// MisuseError while the scope is open. Mirrors trio.CancelScope.
//
// While a destructor runs because an exception is unwinding the stack, a Cancelled thrown out of it
// would end the program. Therefore such a destructor is shielded from every scope entered outside
// it, and from SIGINT's Interrupted; scopes entered inside it work as ever, so `move_on_after`
// bounds what it waits for.
class CancelScope : detail::Hook<detail::ChildScopeTag>, detail::DeadlineEntry {
 public:
  // A scope that is cancelled by itself at `deadline`, and, if `shield`, hears of no cancellation
  // from outside.
  explicit CancelScope(Time deadline = never, bool shield = false) noexcept
      : DeadlineEntry(Kind::scope), deadline_(deadline), shield_(shield) {}

  // A length of time is refused with a sentence: it is for after().
  template <std::convertible_to<Duration> Length> explicit CancelScope(Length, bool = false)
      : CancelScope() {
    static_assert(std::is_void_v<Length>,
                  "trio: a CancelScope ends at a Time: for a length of time, write "
                  "CancelScope::after(5s), or use move_on_after or fail_after");
  }

  // A scope whose deadline is `timeout` after it is entered (not after it is made). Throws
  // std::invalid_argument if negative.
  static CancelScope after(Duration timeout, bool shield = false) {
    return CancelScope(timeout, shield);
  }

  CancelScope(CancelScope const&) = delete;
  CancelScope& operator=(CancelScope const&) = delete;
  ~CancelScope();

  // Runs `body` (taking nothing or this scope) inside this scope, on the current task. Not itself a
  // checkpoint. Lets every exception of the body out but the Cancelled it is responsible for.
  // Throws MisuseError if the scope was entered before, or outside a task.
  template <class Body> Outcome<detail::ScopeResult<Body>> enter(Body&& body);

  // Cancels the scope; idempotent. Tasks parked inside are woken at once with Cancelled. `reason`
  // is told in Cancelled::reason(), if this is the first cause. Not a checkpoint.
  void cancel(std::string reason = {});
  // The same, telling what set it off.
  void cancel(CancelReason reason);

  // Whether cancel() was called or, inside a run, the deadline has passed before the scope ended.
  // Does not become false again when the deadline is moved.
  bool cancel_called();

  // Whether the scope has ended and caught a Cancelled.
  bool cancelled_caught() const noexcept { return cancelled_caught_; }

  // What first cancelled it, here or around it; a default one if nothing has.
  CancelReason cause() const { return cause_ ? *cause_ : CancelReason(); }

  // Throws MisuseError while a scope made by after() has not been entered.
  Time deadline() const;
  // Moves the deadline; one that has passed cancels at the next pass of the run loop. Ends the
  // relative deadline of a scope made by after().
  void set_deadline(Time deadline);

  // Whether the deadline is still relative to an entry to come.
  bool is_relative() const noexcept { return relative_.has_value(); }

  bool shield() const noexcept { return shield_; }

  // Raises or lowers the shield, with effect at once both ways.
  void set_shield(bool shield);

 private:
  friend class Nursery;
  friend class detail::Runner;
  friend struct detail::TaskRecord;
  friend class detail::List<CancelScope, detail::ChildScopeTag>;
  friend class TaskStatusBase;
  friend Time current_effective_deadline();
  friend std::string describe(CancelScope const& scope);

  enum class State { unentered, open, closed };

  CancelScope(Duration timeout, bool shield);

  bool shielded() const noexcept { return shield_ || unwinding_shield_; }

  bool belongs_to(detail::Runner const& runner) const noexcept { return runner_ == &runner; }

  bool cancelled_from_outside() const noexcept;
  void open(detail::TaskRecord& task);
  // Inherits for the scope of a run's first task: no task enters it.
  void open_as_root(detail::Runner& runner) noexcept;
  // Leaves the scope. `error` is what ended the body, or null; returns what remains of it.
  std::exception_ptr close(std::exception_ptr error) noexcept;
  void check_thread() const;
  void recalculate();
  void adopt_children_of(CancelScope& other);
  void register_deadline() noexcept;

  // Leaves the scope when an exception it has no interest in passes through.
  struct Entry {
    explicit Entry(CancelScope& entered);
    Entry(Entry const&) = delete;
    Entry& operator=(Entry const&) = delete;
    ~Entry();
    // Leaves with `error` in hand; rethrows what the scope does not catch.
    void leave(std::exception_ptr error);
    CancelScope& scope;
  };

  Time deadline_;
  std::optional<Duration> relative_ = {};
  bool shield_ = false;
  // Entered in a destructor that an unwinding exception runs.
  bool unwinding_shield_ = false;
  bool cancel_called_ = false;
  bool cancelled_caught_ = false;
  // cancel_called_, or the parent's if not shielded. Invariant kept by recalculate().
  bool effectively_cancelled_ = false;
  State state_ = State::unentered;
  std::shared_ptr<CancelReason const> cause_ = {};

  detail::Runner* runner_ = nullptr;
  CancelScope* parent_ = nullptr;
  detail::List<CancelScope, detail::ChildScopeTag> children_ = {};
  // Tasks whose innermost scope this is.
  detail::List<detail::TaskRecord, detail::ScopeTaskTag> tasks_ = {};
  // The task that entered, and its state to restore on leaving.
  detail::TaskRecord* owner_ = nullptr;
  int outer_uncaught_ = 0;
};

// "a cancel scope, active, deadline is 9.50 seconds from now", for logs and reports: whether it was
// entered and left, what has cancelled it, or else its deadline. Not a checkpoint. Mirrors the
// repr() of trio.CancelScope.
std::string describe(CancelScope const& scope);

// The deadline that applies to the current task here: the earliest of its scopes' up to and
// including the first shield (a destructor run by unwinding counts as one); `expired` if already
// cancelled. Not a checkpoint. Throws MisuseError outside a task. Mirrors
// trio.current_effective_deadline.
Time current_effective_deadline();

// Runs `body` in a scope with a deadline; being late is no error: see Outcome::cut_short. Not
// itself a checkpoint. Throws MisuseError outside a task. Mirrors trio.move_on_at.
template <class Body> auto move_on_at(Time deadline, Body&& body) {
  return CancelScope(deadline).enter(std::forward<Body>(body));
}

// The same with a deadline `timeout` from now. Throws std::invalid_argument if negative,
// MisuseError outside a task. Mirrors trio.move_on_after.
template <class Body> auto move_on_after(Duration timeout, Body&& body) {
  return CancelScope::after(timeout).enter(std::forward<Body>(body));
}

namespace detail {
template <class T> T value_or_too_slow(Outcome<T> outcome) {
  if (outcome.cut_short) throw TooSlowError();
  if constexpr (!std::is_void_v<T>) return std::move(*outcome.value);
}
}  // namespace detail

// Runs `body` in a scope with a deadline and returns what it returns; throws TooSlowError if the
// deadline cut it short. An error of the body wins over lateness. Not itself a checkpoint. Throws
// MisuseError outside a task. Mirrors trio.fail_at.
template <class Body> auto fail_at(Time deadline, Body&& body) {
  return detail::value_or_too_slow(move_on_at(deadline, std::forward<Body>(body)));
}

// The same with a deadline `timeout` from now. Throws std::invalid_argument if negative,
// MisuseError outside a task. Mirrors trio.fail_after.
template <class Body> auto fail_after(Duration timeout, Body&& body) {
  return detail::value_or_too_slow(move_on_after(timeout, std::forward<Body>(body)));
}

// Runs `body` where no cancellation from outside reaches it: trio's CancelScope(shield=True). Bound
// it with move_on_after inside, or a clean-up that hangs, hangs the program. Not itself a
// checkpoint. Throws MisuseError outside a task.
template <class Body> auto shielded(Body&& body) -> std::invoke_result_t<Body> {
  auto outcome = CancelScope(never, true).enter(std::forward<Body>(body));
  if constexpr (!std::is_void_v<std::invoke_result_t<Body>>) return std::move(*outcome.value);
}

template <class Body> Outcome<detail::ScopeResult<Body>> CancelScope::enter(Body&& body) {
  using Result = detail::ScopeResult<Body>;
  static_assert(!std::is_reference_v<Result>,
                "trio: the body of a cancel scope must return a value, not a reference");
  Outcome<Result> outcome;
  Entry entry(*this);
  std::exception_ptr error;
  // Other exceptions are of no interest: not catching them keeps their throw cheap and their stack
  // visible to whoever looks at the throw.
  try {
    if constexpr (std::is_void_v<Result>)
      detail::call_scope_body(body, *this);
    else
      outcome.value.emplace(detail::call_scope_body(body, *this));
  } catch (Cancelled const&) {
    error = std::current_exception();
  } catch (BaseExceptionGroup const&) {
    error = std::current_exception();
  }
  entry.leave(std::move(error));
  outcome.cut_short = cancelled_caught_;
  return outcome;
}

}  // namespace trio
