// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/root_options.hpp>
#include <trio/run.hpp>

#include <cstdlib>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace tractor {

// In a process that an actor has spawned: becomes that actor, serves, and exits, never to return.
// In any other process: returns at once. Make it the first line of a main that does not come to
// tractor::run at once (a test runner's, a GUI's): everything before it happens in every actor too.
void become_actor_if_spawned();

namespace detail {
int run_root(RootOptions const& options, std::function<int()> const& main) noexcept;
void open_root_actor(RootOptions const& options, std::function<void()> const& body);

// Instantiated only to speak.
template <class F> struct main_function {
  static constexpr bool takes_nothing = std::is_void_v<F>;
  static_assert(takes_nothing,
                "tractor: the main function of tractor::run takes no arguments: capture what it "
                "needs, and open a nursery in it");
};
}  // namespace detail

// The whole main of a program of actors: `int main() { return tractor::run(amain); }`. Runs
// `main()` as the main task of the root actor in trio::run. Returns the exit code for the process:
// what `main` returns if it is an int, else 0; 1 if it throws, with a report on stderr; 130 for an
// interrupt. In a spawned process it becomes that actor and never returns; so do nothing before it
// that must happen only once. Mirrors `trio.run(main)` with tractor's implicit root.
template <class F>
[[nodiscard("it is the exit code: return it from main")]] int run(F&& main,
                                                                  RootOptions const& options = {}) {
  if constexpr (!std::is_invocable_v<F&>) {
    (void)sizeof(detail::main_function<F>);
    std::abort();
  } else {
    using Result = std::invoke_result_t<F&>;
    static_assert(std::is_void_v<Result> || std::is_same_v<Result, int>,
                  "tractor: the main function of tractor::run returns void or an int, the exit "
                  "code");
    become_actor_if_spawned();
    return detail::run_root(options, [&main]() -> int {
      if constexpr (std::is_void_v<Result>) {
        std::invoke(main);
        return 0;
      } else {
        return std::invoke(main);
      }
    });
  }
}

// Makes the current task's actor: runs `body()` as the root of a new tree, inside trio::run, and
// returns what it returns. Throws RuntimeFailure if this task is in an actor already; ends the
// process with a sentence if an actor has spawned it, which must not start a tree of its own. A
// checkpoint. Mirrors tractor.open_root_actor.
template <class Body> auto open_root_actor(RootOptions const& options, Body&& body)
    -> std::invoke_result_t<Body&> {
  using Result = std::invoke_result_t<Body&>;
  if constexpr (std::is_void_v<Result>) {
    detail::open_root_actor(options, [&] { std::invoke(body); });
  } else {
    std::optional<Result> result;
    detail::open_root_actor(options, [&] { result.emplace(std::invoke(body)); });
    return std::move(*result);
  }
}

}  // namespace tractor
