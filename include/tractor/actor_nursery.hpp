// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/actor.hpp>
#include <tractor/expose.hpp>
#include <tractor/log.hpp>
#include <tractor/portal.hpp>
#include <tractor/root_options.hpp>
#include <trio/nursery.hpp>

#include <chrono>
#include <concepts>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace tractor {

class LocalActor;

namespace runtime {
class Child;
}

// How to start an actor. Mirrors the options of tractor's start_actor.
struct ActorOptions {
  // For people; run_in_actor's default is the function's name.
  std::string name = {};
  // Empty: the parent's.
  std::optional<LogLevel> log_level = std::nullopt;
  // On top of those of the parent, which they override.
  RuntimeVars runtime_vars = {};
  // What it may be called to run; for start_actor better given as an argument.
  Exposed expose = {};
  // Another program than this one, as a path; its main must come to tractor::run or
  // become_actor_if_spawned.
  std::string executable = {};
  // How long a start may take until the actor has linked up.
  trio::Duration spawn_timeout = std::chrono::seconds(30);
  // When it is to end: how long it may take for its own clean-up after it was asked, and then for
  // dying of SIGTERM, before SIGKILL.
  trio::Duration cancel_timeout = std::chrono::seconds(3);
  trio::Duration terminate_timeout = std::chrono::seconds(1);
  // How long its scheduler may be silent: a stopped process, a task that computes or blocks without
  // a checkpoint. After that it is killed, and ActorDied says so. A debugger that holds the process
  // suspends this and the times above. Empty: for ever.
  std::optional<trio::Duration> unresponsive_after = std::chrono::seconds(30);
  // Whether its standard error passes through this process, which then can tell its last words when
  // it dies; otherwise it shares ours, a terminal for example.
  bool capture_stderr = true;
};

// The place where actors live: processes started inside a block, ended and reaped when it ends, on
// every way out.
//
//   tractor::open_nursery([&](tractor::ActorNursery& nursery) {
//     auto portal = nursery.run_in_actor<fetch>("https://...");
//     use(portal.result());
//   });  // the process is gone here
//
// As in a trio nursery, an error of the body or of any actor interrupts the body at once, cancels
// all others, and is thrown at the end, all of them in one exception group. The end waits for
// actors made by run_in_actor to finish, and for those of start_actor until somebody cancels them.
// Mirrors tractor.ActorNursery.
class ActorNursery {
 public:
  ActorNursery(ActorNursery const&) = delete;
  ActorNursery& operator=(ActorNursery const&) = delete;

  // Starts an actor that serves calls of the functions `exposed` until it is cancelled, and waits
  // until it has linked up. A checkpoint. Throws ActorDied if it cannot begin, of which SpawnError
  // means that its process cannot be started at all; std::system_error if this actor cannot listen;
  // RuntimeFailure if it is ending; std::invalid_argument for options that make no sense. Mirrors
  // tractor's ActorNursery.start_actor.
  //
  //   nursery.start_actor("worker", tractor::expose<work>);
  //   nursery.start_actor({.name = "worker", .cancel_timeout = 1s}, tractor::expose<work>);
  template <std::convertible_to<std::string> Name>
  Portal start_actor(Name&& name, Exposed exposed, ActorOptions options = {}) {
    options.expose = exposed;
    return start_actor(std::forward<Name>(name), std::move(options));
  }

  Portal start_actor(ActorOptions options, Exposed exposed) {
    options.expose = exposed;
    return start_actor(std::move(options));
  }

  // The same with what it exposes among the options; a name there is preferred.
  template <std::convertible_to<std::string> Name>
  Portal start_actor(Name&& name, ActorOptions options = {}) {
    if (options.name.empty()) options.name = std::forward<Name>(name);
    return start_actor(std::move(options));
  }

  Portal start_actor(ActorOptions options);

  // Starts an actor that runs F(args...) as its one task and ends. Does not wait for it to link up,
  // so that many come up at once; a checkpoint. Throws as start_actor does, and EncodeError for
  // arguments that cannot be sent. What F throws, the nursery throws, as Portal::run would. Mirrors
  // tractor's ActorNursery.run_in_actor.
  template <auto F, class... A> ResultPortal<result_of<F>> run_in_actor(A&&... args) {
    return run_in_actor<F>(ActorOptions{}, std::forward<A>(args)...);
  }

  template <auto F, class... A>
  ResultPortal<result_of<F>> run_in_actor(ActorOptions options, A&&... args) {
    if constexpr (detail::remote_call_ok<F, A...>) {
      auto [portal, outcome] = run_one(
          Registered<F>::entry, encode_arguments<F>(std::forward<A>(args)...), std::move(options));
      return ResultPortal<result_of<F>>(std::move(portal), std::move(outcome));
    } else {
      detail::remote_call_explain<F, A...>();
      std::abort();
    }
  }

  // These only say how it is written.
  template <class F, class... A> void run_in_actor(F const&, A const&...) {
    (void)sizeof(detail::function_as_argument<F>);
  }

  template <class F>
    requires std::is_function_v<std::remove_pointer_t<F>>
  void start_actor(std::string const&, F const&, ActorOptions const& = {}) {
    (void)sizeof(detail::function_not_exposed<F>);
  }

  // Ends every actor, quietly: each is asked, then terminated, then killed, at the bounds of its
  // options. The block's end awaits it. Not a checkpoint. Mirrors tractor's ActorNursery.cancel.
  void cancel(std::string reason = {}) { nursery_->cancel_scope().cancel(std::move(reason)); }

  // Mirrors tractor's ActorNursery.cancel_called.
  bool cancel_called() { return nursery_->cancel_scope().cancel_called(); }

  // Waits, inside the body, until every actor has ended. A checkpoint. See trio::Nursery::join.
  void join() { nursery_->join(); }

  // How many actors live here.
  std::size_t child_count() const noexcept { return nursery_->child_task_count(); }

 private:
  struct Started {
    Portal portal;
    std::shared_ptr<runtime::Outcome> outcome;
  };

  explicit ActorNursery(LocalActor& actor) noexcept : actor_(actor) {}

  friend void run_actor_nursery(RootOptions const* options,
                                std::function<void(ActorNursery&)> const& body);

  Started run_one(Entry const& entry, Buffer arguments, ActorOptions options);
  void run_task(std::shared_ptr<runtime::Child> const& child, runtime::Outcome& outcome,
                FunctionId const& function, Buffer arguments);
  void cancel_because(ActorId const& actor, std::exception_ptr const& error);

  LocalActor& actor_;
  trio::Nursery* nursery_ = nullptr;
};

// Behind open_nursery.
void run_actor_nursery(RootOptions const* options, std::function<void(ActorNursery&)> const& body);

namespace detail {
template <class Body> auto open_actor_nursery(RootOptions const* options, Body& body)
    -> std::invoke_result_t<Body&, ActorNursery&> {
  using Result = std::invoke_result_t<Body&, ActorNursery&>;
  static_assert(!std::is_reference_v<Result>,
                "tractor: the body of open_nursery must return a value, not a reference");
  if constexpr (std::is_void_v<Result>) {
    run_actor_nursery(options, [&](ActorNursery& nursery) { std::invoke(body, nursery); });
  } else {
    std::optional<Result> result;
    run_actor_nursery(options,
                      [&](ActorNursery& nursery) { result.emplace(std::invoke(body, nursery)); });
    if constexpr (trio::detail::IsOptional<Result>::value) {
      return result ? std::move(*result) : Result();
    } else {
      if (!result) trio::detail::throw_body_was_cut_short();
      return std::move(*result);
    }
  }
}
}  // namespace detail

// Opens an actor nursery, runs `body(nursery)`, awaits and reaps all its actors, and returns what
// the body returned. Where this task is in no actor yet, makes it the root of a new tree for the
// duration. The end is a checkpoint. Throws an exception group, see ActorNursery; for a body that
// returns a value but was cut short, see trio::open_nursery. Mirrors tractor.open_nursery.
template <class Body> auto open_nursery(Body&& body) {
  constexpr bool takes_nursery = std::is_invocable_v<Body&, ActorNursery&>;
  static_assert(takes_nursery,
                "tractor: the body of tractor::open_nursery takes a tractor::ActorNursery&");
  if constexpr (takes_nursery) return detail::open_actor_nursery(nullptr, body);
}

// The same, with options for the root that it is to start. Throws RuntimeFailure where this task is
// in an actor already.
template <class Body> auto open_nursery(RootOptions const& options, Body&& body) {
  constexpr bool takes_nursery = std::is_invocable_v<Body&, ActorNursery&>;
  static_assert(takes_nursery,
                "tractor: the body of tractor::open_nursery takes a tractor::ActorNursery&");
  if constexpr (takes_nursery) return detail::open_actor_nursery(&options, body);
}

}  // namespace tractor
