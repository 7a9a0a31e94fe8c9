// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/parking_lot.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace trio {

// As of Shared::statistics().
struct SharedStatistics {
  // A task computes now.
  bool running = false;
  // It has come to its end, with a value or an error.
  bool done = false;
  std::size_t tasks_waiting = 0;
};

namespace detail {

// What of a Shared needs no type: who computes, who waits.
class SharedComputation : public std::enable_shared_from_this<SharedComputation> {
 public:
  SharedComputation() = default;
  SharedComputation(SharedComputation const&) = delete;
  SharedComputation& operator=(SharedComputation const&) = delete;
  virtual ~SharedComputation() = default;

  // Until it is done; throws its error.
  void wait();
  SharedStatistics statistics() const noexcept;

 protected:
  // Keeps the value.
  virtual void compute() = 0;

 private:
  struct Attempt;

  void start();
  void run(Attempt& attempt);
  void throw_error() const;

  // The one that runs; null before, between and after.
  std::shared_ptr<Attempt> attempt_;
  bool done_ = false;
  std::exception_ptr error_;
};

template <class T> class SharedValue : public SharedComputation {
 public:
  T const& value() const noexcept { return *value_; }

 protected:
  std::optional<T> value_;
};

template <> class SharedValue<void> : public SharedComputation {
 public:
  void value() const noexcept {}
};

template <class T, class F> class SharedCall final : public SharedValue<T> {
 public:
  template <class Fn> explicit SharedCall(Fn&& fn) : fn_(std::forward<Fn>(fn)) {}

 private:
  void compute() override {
    if constexpr (std::is_void_v<T>)
      std::invoke(fn_);
    else
      this->value_.emplace(std::invoke(fn_));
  }

  F fn_;
};

}  // namespace detail

// One computation for many tasks that want its result: begun when the first of them asks, cancelled
// when the last of them has been cancelled, and its result kept for whoever asks later.
//
//   trio::Shared<Config> config([] { return fetch_config(); });
//   ...
//   use(config.wait());  // in any number of tasks: one fetch
//
// It runs in a task of its own (a system task), so that it can outlive the task that asked first;
// but never the last that waits: whoever is cancelled last waits until it is gone. Deadlines and
// task-local values of those who wait do not apply to it. A computation that was cancelled begins
// anew when somebody asks again; an error is a result, thrown in everybody who asks. Copies share
// the computation. For one run's thread only. corral's Shared; trio has none.
template <class T> class Shared {
  static_assert(!std::is_reference_v<T>,
                "trio::Shared: the function must return a value, not a reference");

 public:
  // `fn()` may be called more than once, but never twice at a time.
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, Shared>)
  explicit Shared(F&& fn)
      : state_(std::make_shared<detail::SharedCall<T, std::decay_t<F>>>(std::forward<F>(fn))) {}

  // The result, waiting for it; valid as long as the Shared or a copy of it is. A checkpoint
  // always. Throws what the function threw; MisuseError outside a task or if someone reschedules
  // the task by hand. Whoever is cancelled last gets the error, if there is one, of the computation
  // that was cancelled with it; if a SIGINT has done it, in a group with the Interrupted.
  std::add_lvalue_reference_t<T const> wait() const {
    state_->wait();
    return state_->value();
  }

  // Counts the tasks that wait. Not a checkpoint.
  SharedStatistics statistics() const noexcept { return state_->statistics(); }

 private:
  std::shared_ptr<detail::SharedValue<T>> state_;
};

template <class F> Shared(F) -> Shared<std::invoke_result_t<F&>>;

}  // namespace trio
