// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/detail/task_job.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace trio {

class CapacityLimiter;

// From a task to a thread: for calls that block and cannot be made to wait as tasks do.
namespace to_thread {

struct Options {
  // What a cancellation does while the thread works. False: nothing, run() waits for its end; the
  // function may ask from_thread::check_cancelled(). True: run() throws Cancelled at once, the
  // thread works on, and what becomes of it is dropped.
  bool abandon_on_cancel = false;
  // Lends the token that the thread holds until its very end; null:
  // current_default_thread_limiter(). Must live until then, or until the end of the run.
  CapacityLimiter* limiter = nullptr;
};

namespace detail_thread {
void run(Options const& options, std::unique_ptr<detail::Job> job);

// Calls fn(args...) and keeps what it returns, where an abandoned thread may find it.
template <class F, class Result> struct SharingResult : detail::Wrapper {
  SharingResult(F function, std::shared_ptr<std::optional<Result>> shared)
      : fn(std::move(function)), result(std::move(shared)) {}

  F fn;
  std::shared_ptr<std::optional<Result>> result;

  template <class... A> void operator()(A&&... args) {
    result->emplace(std::invoke(std::move(fn), std::forward<A>(args)...));
  }
};
}  // namespace detail_thread

// Calls `fn(args...)` in a thread of its own and waits for it: returns what it returns, throws what
// it throws. Meanwhile other tasks run.
//
//   auto address = trio::to_thread::run(look_up, "example.org");
//
// Function and arguments are copied into the thread, and destroyed there; references travel as
// std::ref. The function is outside of the run: it calls nothing of trio's but from_thread and
// TrioToken, and finds no task-local values. Threads are kept for the next call, for
// RunOptions::idle_threads_end_after.
//
// A checkpoint, always; cancellable until the thread works, and then as Options::abandon_on_cancel
// says: without it, a call that was completed does not throw Cancelled. Throws MisuseError outside
// a task, std::system_error if no thread can be made. Mirrors trio.to_thread.run_sync.
template <class F, class... A> auto run(Options const& options, F&& fn, A&&... args) {
  using Function = std::decay_t<F>;
  constexpr bool callable = std::is_invocable_v<Function, std::decay_t<A>...>;
  static_assert(callable,
                "trio: to_thread::run(fn, args...): fn cannot be called with copies of these "
                "arguments (references travel as std::ref)");
  if constexpr (callable) {
    using Result = std::invoke_result_t<Function, std::decay_t<A>...>;
    static_assert(!std::is_reference_v<Result>,
                  "trio: the function of to_thread::run must return a value, not a reference");
    if constexpr (std::is_void_v<Result>) {
      detail_thread::run(options, detail::make_job(std::forward<F>(fn), std::forward<A>(args)...));
    } else if constexpr (!std::is_reference_v<Result>) {
      auto const result = std::make_shared<std::optional<Result>>();
      detail_thread::run(options, detail::make_job(detail_thread::SharingResult<Function, Result>(
                                                       std::forward<F>(fn), result),
                                                   std::forward<A>(args)...));
      return std::move(**result);
    }
  }
}

template <class F, class... A>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Options>)
auto run(F&& fn, A&&... args) {
  return run(Options{}, std::forward<F>(fn), std::forward<A>(args)...);
}

// The limiter of all calls that name no other: 40 tokens at first, one a run. Not a checkpoint.
// Throws MisuseError outside a run. Mirrors trio.to_thread.current_default_thread_limiter.
CapacityLimiter& current_default_thread_limiter();

}  // namespace to_thread
}  // namespace trio
