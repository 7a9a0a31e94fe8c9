// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/lowlevel.hpp>

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

// From a thread back into a run: into the one whose to_thread::run has started the thread, or by a
// token into any.
//
//   trio::to_thread::run([&] {
//     for (std::string line; std::getline(std::cin, line);)
//       trio::from_thread::run([&] { sender.send(line); });
//   });
//
// All of it blocks the calling thread, and so is refused with MisuseError on a thread that is
// inside trio::run, as in any other thread that to_thread::run has not started, unless a token is
// given.
namespace trio::from_thread {

namespace detail_thread {
// In the host task of the calling thread; in a system task, if it may be abandoned.
void run(std::function<void()> const& fn);
void run_sync(std::function<void()> const& fn);
// In a system task.
void run(lowlevel::TrioToken const& token, std::function<void()> const& fn);
void run_sync(lowlevel::TrioToken const& token, std::function<void()> const& fn);

// What fn(args...) returns, called by `call(std::function<void()>)`.
template <class Call, class F, class... A> auto result_of(Call const& call, F&& fn, A&&... args)
    -> std::invoke_result_t<F, A...> {
  using Result = std::invoke_result_t<F, A...>;
  static_assert(!std::is_reference_v<Result>,
                "trio: the function of from_thread::run must return a value, not a reference");
  if constexpr (std::is_void_v<Result>) {
    call([&] { std::invoke(std::forward<F>(fn), std::forward<A>(args)...); });
  } else {
    std::optional<Result> result;
    call([&] { result.emplace(std::invoke(std::forward<F>(fn), std::forward<A>(args)...)); });
    return std::move(*result);
  }
}
}  // namespace detail_thread

// Calls `fn(args...)` in the run and waits for it: returns what it returns, throws what it throws.
// It runs in the task that waits in to_thread::run, so that the task's scopes are its own: if they
// are cancelled, its checkpoints throw Cancelled, which then is thrown here, and should be let
// through. If the thread may be abandoned, it runs in a system task instead. Throws
// RunFinishedError if the run is over, Cancelled if it ends meanwhile. Mirrors
// trio.from_thread.run.
template <class F, class... A>
  requires(!std::is_same_v<std::remove_cvref_t<F>, lowlevel::TrioToken>)
auto run(F&& fn, A&&... args) {
  return detail_thread::result_of([](auto const& call) { detail_thread::run(call); },
                                  std::forward<F>(fn), std::forward<A>(args)...);
}

// The same in a system task of the token's run, from any thread.
template <class F, class... A> auto run(lowlevel::TrioToken const& token, F&& fn, A&&... args) {
  return detail_thread::result_of([&](auto const& call) { detail_thread::run(token, call); },
                                  std::forward<F>(fn), std::forward<A>(args)...);
}

// The same for a function that does not wait: cheaper, and never Cancelled. Mirrors
// trio.from_thread.run_sync.
template <class F, class... A>
  requires(!std::is_same_v<std::remove_cvref_t<F>, lowlevel::TrioToken>)
auto run_sync(F&& fn, A&&... args) {
  return detail_thread::result_of([](auto const& call) { detail_thread::run_sync(call); },
                                  std::forward<F>(fn), std::forward<A>(args)...);
}

// The same in the token's run, between its tasks' steps, from any thread.
template <class F, class... A>
auto run_sync(lowlevel::TrioToken const& token, F&& fn, A&&... args) {
  return detail_thread::result_of([&](auto const& call) { detail_thread::run_sync(token, call); },
                                  std::forward<F>(fn), std::forward<A>(args)...);
}

// Throws Cancelled if the task that waits in to_thread::run for this thread has been cancelled, or
// Interrupted if a SIGINT waits for it; returns otherwise. For long computations to call now and
// then. What it throws should be let through: it then ends to_thread::run. If the thread may be
// abandoned, it has been, when this throws (of a SIGINT too, Cancelled then). Mirrors
// trio.from_thread.check_cancelled.
void check_cancelled();

}  // namespace trio::from_thread
