// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/actor_id.hpp>
#include <tractor/remote_origin.hpp>
#include <trio/cancelled.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace tractor {

// A function of the runtime was called where there is none: outside of an actor. Mirrors
// tractor.NoRuntime.
struct NoRuntime : std::logic_error {
  using std::logic_error::logic_error;
};

// The runtime cannot be started, as this task is in an actor already; or the actor is ending, and
// takes nothing new. Mirrors tractor.RuntimeFailure.
struct RuntimeFailure : std::logic_error {
  using std::logic_error::logic_error;
};

// The link to another actor is over: closed, broken, or its process is gone.
struct TransportClosed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What a function threw in another actor, if its type is not registered (see RegisterErrors).
// Mirrors tractor.RemoteActorError.
class RemoteActorError : public std::runtime_error, public RemoteOrigin {
 public:
  explicit RemoteActorError(BoxedError error);
};

// The task in the other actor was cancelled. Mirrors tractor.ContextCancelled.
class ContextCancelled final : public RemoteActorError {
 public:
  // `error` has a cancellation.
  explicit ContextCancelled(BoxedError error) : RemoteActorError(std::move(error)) {}

  // The actor that asked for it, which may be this one, the one where the task was, or a third.
  // Mirrors ContextCancelled.canceller.
  ActorId const& canceller() const noexcept { return boxed().cancellation->canceller; }

  // Whether that whole actor was asked to end, and not just the task.
  bool of_actor() const noexcept { return boxed().cancellation->of_actor; }

  trio::CancelReason const& reason() const noexcept { return boxed().cancellation->reason; }
};

// A stream with a bounded buffer, and the policy Overrun::error, got more than it had room for:
// thrown in the task that sends too fast, and in the one that opened the stream. Mirrors
// tractor.StreamOverrun.
struct StreamOverrun : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The other side left its stream by an exception, and not by closing it: what came is not all. If
// that side ends of this exception, its error takes the place of this one.
struct StreamAborted : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The other actor declined a call; it serves on. Base of the reasons.
struct CallRefused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// It has the function but was not started with it: see tractor::expose. Mirrors
// tractor.ModuleNotExposed.
struct FunctionNotExposed final : CallRefused {
  using CallRefused::CallRefused;
};

// Its program has no such function, or none that it could tell for sure: of several of that name,
// or of a static one called from another build.
struct UnknownFunction final : CallRefused {
  using CallRefused::CallRefused;
};

// It is being cancelled and takes no more calls.
struct ActorCancelled final : CallRefused {
  using CallRefused::CallRefused;
};

// A step of a typed dialog that its program may not take: one that was taken before, or an end that
// is of another dialog. See dialog.hpp.
struct DialogMisuse final : std::logic_error {
  using std::logic_error::logic_error;
};

// The other side, a program of another build, has other types than this one. In a typed dialog: it
// sent what the protocol does not have there. Mirrors tractor.MsgTypeError.
class MsgTypeError : public std::runtime_error {
 public:
  // `what` says all of it.
  MsgTypeError(std::string const& what, std::string expected, std::string received);

  // What this side has there, and what the other: signatures, or kinds of messages. Mirrors
  // MsgTypeError.expected_msg_type and .bad_msg.
  std::string const& expected() const noexcept { return sides_->expected; }

  std::string const& received() const noexcept { return sides_->received; }

 private:
  struct Sides {
    std::string expected;
    std::string received;
  };

  // Shared, so that copying cannot throw.
  std::shared_ptr<Sides const> sides_;
};

// The same, found before anything began: the function of that name has other parameters, another
// result or other messages there, or the topic another type. expected() is the signature here,
// received() the one there, what() prints both. The actor has declined the call, and serves on; yet
// this is no CallRefused, which says that the same call might be taken up.
class SignatureMismatch final : public MsgTypeError {
 public:
  using MsgTypeError::MsgTypeError;
};

// An actor's process ended without saying goodbye, had to be killed as it did not answer, or could
// not begin. what() says how, with the end of its standard error.
class ActorDied : public std::runtime_error {
 public:
  // `status` as waitid gives it: an exit code, or a signal's number if `signalled`. `cause`: why we
  // killed it, if we did. `stderr_tail`: what it wrote last.
  ActorDied(ActorId actor, int status, bool signalled, std::string const& cause,
            std::string stderr_tail);

  ActorId const& actor() const noexcept { return last_->actor; }

  // Its exit code; -1 if a signal killed it, or if somebody else took the exit code.
  int exit_code() const noexcept { return signalled_ ? -1 : status_; }

  // The signal that killed it; 0 if it exited.
  int signal() const noexcept { return signalled_ ? status_ : 0; }

  // The last 16 KiB at the most of what it and what it started wrote to standard error; empty if it
  // was not captured, see ActorOptions::capture_stderr.
  std::string const& stderr_tail() const noexcept { return last_->stderr_tail; }

 protected:
  // One that could not begin, as what() says.
  explicit ActorDied(std::string const& what);

 private:
  struct Last {
    ActorId actor;
    std::string stderr_tail;
  };

  // Shared, so that copying cannot throw.
  std::shared_ptr<Last const> last_;
  int status_;
  bool signalled_;
};

// A process could not be started at all; what() says which and why.
struct SpawnError final : ActorDied {
  explicit SpawnError(std::string const& what) : ActorDied(what) {}
};

}  // namespace tractor
