// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/detail/guarded.hpp>
#include <trio/detail/is_parked.hpp>
#include <trio/detail/list.hpp>
#include <trio/errors.hpp>
#include <trio/lowlevel.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace trio {

// As of Value::statistics().
struct ValueStatistics {
  std::size_t tasks_waiting = 0;
};

// A value that tasks may wait upon: until it equals another, fulfils a condition, or changes.
//
//   trio::Value<State> state(State::connecting);
//   ...
//   state.set(State::ready);                          // in one task
//   state.until_equals(State::ready);                 // in others
//   auto [before, now] = state.until_changed();
//
// Nothing is missed: every set() asks everybody who waits, and whoever gets what it waited for goes
// on with that value, though it may be another when the task runs. A condition only looks: it must
// not wait, cancel or wake anybody. For one run's thread only. corral's Value; trio has none.
template <class T> class Value {
  static_assert(std::copy_constructible<T>,
                "trio::Value<T>: T must be copyable: every task that waits gets a copy");

 public:
  // What a change was from and to.
  struct Change {
    T before;
    T now;
  };

  Value() = default;

  explicit Value(T initial) : value_(std::move(initial)) {}

  Value(Value const&) = delete;
  Value& operator=(Value const&) = delete;

  // Tasks that still wait get BrokenResourceError.
  ~Value() {
    auto const error = std::make_exception_ptr(
        BrokenResourceError("trio: the Value that this task waited upon was destroyed"));
    while (Waiter* const waiter = detail::first_parked(waiters_)) wake(*waiter, error);
  }

  T const& get() const noexcept { return value_; }

  operator T const&() const noexcept { return value_; }

  // Replaces the value and wakes whoever has waited for this one. Conditions are asked here, on the
  // caller's stack; one that throws, throws in the task that waits with it. Not a checkpoint.
  // Throws MisuseError if tasks wait that belong to another thread's run, or if called by a
  // condition.
  void set(T value) {
    if (asking_) throw MisuseError("trio: a Value was set by a condition that it is asked for");
    Change const change{std::exchange(value_, std::move(value)), value_};
    asking_ = true;
    AtEnd const done{asking_};
    for (Waiter* waiter = waiters_.next(nullptr); waiter;) {
      Waiter* const following = waiters_.next(waiter);
      // Who was rescheduled by hand will find out by itself.
      if (detail::is_parked(waiter->task)) tell(*waiter, change);
      waiter = following;
    }
  }

  Value& operator=(T value) {
    set(std::move(value));
    return *this;
  }

  // set() to what `change(value)` makes of a copy of the present value.
  template <std::invocable<T&> F> void modify(F&& change) {
    T copy = value_;
    std::invoke(std::forward<F>(change), copy);
    set(std::move(copy));
  }

  // Waits until `condition(value)` is true; returns the value for which it was, which may be
  // another by now. A checkpoint even if it is true at once. Throws what the condition throws,
  // MisuseError outside a task or if someone reschedules the task by hand, BrokenResourceError if
  // the Value is destroyed meanwhile.
  template <std::predicate<T const&> Condition> T until_matches(Condition condition) {
    lowlevel::checkpoint_if_cancelled();
    if (std::invoke(condition, std::as_const(value_))) {
      T matching = value_;
      lowlevel::cancel_shielded_checkpoint();
      return matching;
    }
    return wait([&](Change const& change) { return std::invoke(condition, change.now); }).now;
  }

  // Waits until the value equals `wanted`; a checkpoint even if it does at once. Throws as
  // until_matches() does.
  T until_equals(T const& wanted)
    requires std::equality_comparable<T>
  {
    return until_matches([&](T const& value) { return value == wanted; });
  }

  // Waits until it is set to a value that differs from the one before. A checkpoint. Throws as
  // until_matches() does.
  Change until_changed()
    requires std::equality_comparable<T>
  {
    return wait([](Change const& change) { return !(change.before == change.now); });
  }

  // Counts the tasks that wait. Not a checkpoint.
  ValueStatistics statistics() const noexcept { return {waiters_.size()}; }

 private:
  struct WaiterTag;

  // A task that waits, on its own stack.
  struct Waiter : detail::Hook<WaiterTag> {
    Waiter(Task& waiting, void* asked, bool (*ask)(void*, Change const&))
        : task(waiting), condition(asked), wants(ask) {}

    Task& task;
    void* condition;
    bool (*wants)(void* condition, Change const& change);
    // What it has waited for.
    std::optional<Change> change;
  };

  struct AtEnd {
    bool& flag;

    ~AtEnd() { flag = false; }
  };

  template <class Wants> Change wait(Wants wants) {
    Waiter waiter(lowlevel::current_task(), &wants, [](void* object, Change const& change) -> bool {
      return (*static_cast<Wants*>(object))(change);
    });
    waiters_.push_back(waiter);
    lowlevel::wait_task_rescheduled([&waiter](lowlevel::RaiseCancel const&) {
      waiter.unlink();
      return lowlevel::Abort::succeeded;
    });
    if (!waiter.change)
      throw MisuseError("trio: a task waiting upon a Value was rescheduled by hand");
    return std::move(*waiter.change);
  }

  static void tell(Waiter& waiter, Change const& change) {
    auto error = detail::caught_from([&] {
      if (waiter.wants(waiter.condition, change)) waiter.change.emplace(change);
    });
    if (error || waiter.change) wake(waiter, std::move(error));
  }

  static void wake(Waiter& waiter, std::exception_ptr error) {
    lowlevel::reschedule(waiter.task, std::move(error));
    waiter.unlink();
  }

  T value_{};
  bool asking_ = false;
  detail::List<Waiter, WaiterTag> waiters_;
};

}  // namespace trio
