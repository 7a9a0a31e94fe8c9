// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/detail/task_job.hpp>
#include <trio/errors.hpp>
#include <trio/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace trio {

class Instrument;

// What run() does about SIGINT.
enum class Sigint {
  // Interrupted is raised in the main task, if nobody else has installed a handler.
  interrupts,
  // The same, but ctrl-c at the terminal is left to the process that leads there.
  interrupts_unless_from_terminal,
  // Nothing is installed.
  untouched,
};

struct RunOptions {
  // Where time comes from; null: CLOCK_MONOTONIC.
  Clock* clock = nullptr;
  // Usable bytes of each task's stack, rounded up to whole pages.
  std::size_t stack_size = 256 * 1024;
  // How many stacks get a guard in a memory mapping of its own, where the kernel cannot guard
  // without one (Linux before 6.13): each costs two of the 65,530 mappings a process may have.
  // Stacks beyond this number are watched by a canary instead: an overflow is then reported when
  // the task next parks or crashes, not at once.
  std::size_t max_guarded_stacks = 30'000;
  // Runs ready tasks in a seeded random order within each pass instead of first come, first served.
  std::optional<std::uint64_t> shuffle_seed = std::nullopt;
  // Asks epoll in every pass, as trio does, instead of at bounded intervals.
  bool poll_every_pass = false;
  Sigint sigint = Sigint::interrupts;
  // Are told of what the run does; must live as long.
  std::vector<Instrument*> instruments = {};
  // How long a thread of to_thread::run is kept for another call.
  Duration idle_threads_end_after = std::chrono::seconds(10);
  // Has an overflow of a task's stack reported on stderr, by the name of the task, before the
  // process dies of it. The first such run of a process installs a handler of SIGSEGV, which stays
  // when the run ends and hands every signal on to the handler (or default) that it has found.
  bool report_stack_overflows = true;
};

namespace detail {
void run(RunOptions const& options, std::unique_ptr<Job> main);

// Calls fn(args...) and keeps what it returns.
template <class F, class Result> struct KeepingResult : Wrapper {
  KeepingResult(F function, std::optional<Result>& kept) : fn(std::move(function)), result(&kept) {}

  F fn;
  std::optional<Result>* result;

  template <class... A> void operator()(A&&... args) {
    result->emplace(std::invoke(std::move(fn), std::forward<A>(args)...));
  }
};
}  // namespace detail

// Runs `fn(args...)` as the main task of a new run on this thread and returns what it returns, or
// throws what it throws, when every task has ended. One run a thread at a time: MisuseError
// otherwise. Throws TrioInternalError if a system task crashed, Interrupted if a SIGINT met no
// checkpoint.
//
// What it does to the process: SIGINT has a handler during the run (RunOptions::sigint), SIGSEGV
// from the first run on (RunOptions::report_stack_overflows), as has std::terminate, to say so if a
// Cancelled could not leave a noexcept function. Fibers of Boost.Fiber that the thread has stand
// still meanwhile, and go on afterwards under Boost's round_robin, whatever algorithm they were
// under. Mirrors trio.run.
template <class F, class... A> auto run(RunOptions const& options, F&& fn, A&&... args) {
  using Result = std::invoke_result_t<std::decay_t<F>, std::decay_t<A>...>;
  static_assert(!std::is_reference_v<Result>,
                "trio: the main function of run() must return a value, not a reference");
  if constexpr (std::is_void_v<Result>) {
    detail::run(options, detail::make_job(std::forward<F>(fn), std::forward<A>(args)...));
  } else {
    std::optional<Result> result;
    detail::run(options, detail::make_job(detail::KeepingResult<std::decay_t<F>, Result>(
                                              std::forward<F>(fn), result),
                                          std::forward<A>(args)...));
    return std::move(*result);
  }
}

template <class F, class... A>
  requires(!std::is_same_v<std::remove_cvref_t<F>, RunOptions>)
auto run(F&& fn, A&&... args) {
  return run(RunOptions{}, std::forward<F>(fn), std::forward<A>(args)...);
}

}  // namespace trio
