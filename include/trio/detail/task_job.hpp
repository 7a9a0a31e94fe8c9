// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <functional>
#include <memory>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace trio::detail {

// What a task is to do: a function with copies of its arguments, behind one virtual call.
class Job {
 public:
  virtual ~Job() = default;
  // Called once, on the task's own stack.
  virtual void run() = 0;
  // For naming the task: the callable's type and, for a plain function, its address.
  virtual std::type_info const& type() const noexcept = 0;
  virtual void const* function() const noexcept = 0;
};

// Base of the callables of ours that only call the one they have in `fn`.
struct Wrapper {};

// The callable that a task is named after.
template <class F> auto const& named_callable(F const& callable) noexcept {
  if constexpr (std::is_base_of_v<Wrapper, F>)
    return callable.fn;
  else
    return callable;
}

// A job whose callable is an F.
template <class F> class JobOf : public Job {
 public:
  template <class Fn> explicit JobOf(Fn&& fn) : fn_(std::forward<Fn>(fn)) {}

  std::type_info const& type() const noexcept final { return typeid(Named); }

  void const* function() const noexcept final {
    if constexpr (std::is_pointer_v<Named> && std::is_function_v<std::remove_pointer_t<Named>>)
      return reinterpret_cast<void const*>(named_callable(fn_));
    else
      return nullptr;
  }

 protected:
  using Named = std::remove_cvref_t<decltype(named_callable(std::declval<F const&>()))>;

  F fn_;
};

template <class F, class... A> class BoundJob final : public JobOf<F> {
 public:
  template <class Fn, class... Args> explicit BoundJob(Fn&& fn, Args&&... args)
      : JobOf<F>(std::forward<Fn>(fn)), args_(std::forward<Args>(args)...) {}

  void run() override {
    std::apply([this](A&... args) { std::invoke(std::move(this->fn_), std::move(args)...); },
               args_);
  }

 private:
  std::tuple<A...> args_;
};

// Nearly every task is a lambda without arguments: each is spared a tuple, for the compiler's sake.
template <class F> class BoundJob<F> final : public JobOf<F> {
 public:
  using JobOf<F>::JobOf;

  void run() override { std::move(this->fn_)(); }
};

// Copies or moves `fn` and `args` into a job.
template <class F, class... A> std::unique_ptr<Job> make_job(F&& fn, A&&... args) {
  static_assert(
      std::is_constructible_v<std::decay_t<F>, F> &&
          (std::is_constructible_v<std::decay_t<A>, A> && ...),
      "trio: the function and the arguments of a task are copied into it, and one of these "
      "cannot be copied: std::move it into the task, or pass it as std::ref");
  // No make_unique: one less template for each task.
  return std::unique_ptr<Job>(new BoundJob<std::decay_t<F>, std::decay_t<A>...>(
      std::forward<F>(fn), std::forward<A>(args)...));
}

}  // namespace trio::detail
