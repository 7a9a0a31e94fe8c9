// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/actor_id.hpp>
#include <tractor/buffer.hpp>
#include <tractor/errors.hpp>
#include <tractor/expose.hpp>
#include <tractor/function.hpp>
#include <trio/time.hpp>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <type_traits>
#include <utility>

namespace tractor {

namespace runtime {
class Peer;
struct Outcome;
}  // namespace runtime

// How to end an actor through a portal.
struct CancelActorOptions {
  // How long to wait until it has cancelled its tasks and said goodbye.
  trio::Duration timeout = std::chrono::milliseconds(500);
};

// How calls through a portal behave: see Portal::with.
struct CallOptions {
  // When the caller is cancelled, how long it waits for the remote task, which is cancelled too, to
  // end; after that it goes on and the task's answer is dropped.
  trio::Duration cancel_patience = std::chrono::milliseconds(500);
};

// A handle for calling functions in another actor. Copies are handles to the same; they may outlive
// the block that made them (calls then fail), but belong to the run. Mirrors tractor.Portal.
class Portal {
 public:
  // Made by the library.
  explicit Portal(std::shared_ptr<runtime::Peer> peer, CallOptions options = {})
      : peer_(std::move(peer)), options_(options) {}

  // Calls F(args...) there and returns its result: `int three = portal.run<add>(1, 2);`. Arguments
  // are converted to F's parameters here; checked when compiled. A checkpoint.
  //
  // Cancelling the caller cancels the remote task, and the deadlines of the caller's scopes, as
  // they are when the call begins, hold there too. Throws for what F throws the error itself if its
  // type is registered (see RegisterErrors), or a group of such; else RemoteActorError; ContextCancelled if the task
  // there is cancelled by somebody else, a CallRefused, ActorDied, or TransportClosed; EncodeError
  // for arguments that do not fit into a message (1 GiB), DecodeError for a result that is none.
  // Mirrors tractor's Portal.run.
  template <auto F, class... A> result_of<F> run(A&&... args) const {
    if constexpr (detail::remote_call_ok<F, A...>) {
      Buffer result = call(function_id<F>(), encode_arguments<F>(std::forward<A>(args)...));
      if constexpr (!std::is_void_v<result_of<F>>) return decode<result_of<F>>(std::move(result));
    } else {
      detail::remote_call_explain<F, A...>();
      std::abort();
    }
  }

  // The same portal with other options for calls: portal.with({.cancel_patience = 5s}).run<f>().
  Portal with(CallOptions options) const { return Portal(peer_, options); }

  // Asks the actor to end: its tasks are cancelled, its clean-up runs, its process exits. Returns
  // whether it has said its last word in time, or died; its nursery reaps it in any case. Only a
  // parent's word counts: others wait in vain. A checkpoint. Throws std::invalid_argument for a
  // negative timeout. Mirrors tractor's Portal.cancel_actor.
  bool cancel_actor(CancelActorOptions options = {}) const;

  // The actor at the other end.
  ActorId const& actor() const;

  // Calls made to that actor that have no answer yet; and calls made by it, of functions here, that
  // are still running. Not checkpoints.
  std::size_t open_calls() const;
  std::size_t open_tasks() const;

 protected:
  std::shared_ptr<runtime::Peer> const& peer() const noexcept { return peer_; }

 private:
  Buffer call(FunctionId const& function, Buffer arguments) const;

  std::shared_ptr<runtime::Peer> peer_;
  CallOptions options_;
};

// portal.run<F>(args...), for templates, where that would have to be written
// portal.template run<F>(args...).
template <auto F, class... A> result_of<F> run(Portal const& portal, A&&... args) {
  return portal.run<F>(std::forward<A>(args)...);
}

namespace detail {
// Waits for the outcome of a run_in_actor; see ResultPortal::result.
std::span<std::byte const> wait_for_result(runtime::Outcome& outcome);
}  // namespace detail

// The portal that run_in_actor returns: to an actor with one task, whose result it can fetch.
template <class R> class ResultPortal : public Portal {
 public:
  // Made by the library.
  ResultPortal(Portal portal, std::shared_ptr<runtime::Outcome> outcome)
      : Portal(std::move(portal)), outcome_(std::move(outcome)) {}

  // The result of the actor's task; waits for it. May be asked again, and after the nursery has
  // ended. A checkpoint inside a task; outside of any, throws NoRuntime if it is not there yet.
  // Throws what the task threw, as Portal::run does. Mirrors tractor's Portal.result.
  R result() const {
    auto const bytes = detail::wait_for_result(*outcome_);
    if constexpr (!std::is_void_v<R>) return decode<R>(bytes);
  }

 private:
  std::shared_ptr<runtime::Outcome> outcome_;
};

}  // namespace tractor
