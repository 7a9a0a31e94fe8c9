// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/actor_id.hpp>
#include <trio/cancelled.hpp>
#include <trio/stack_trace.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tractor {

// That a task was cancelled, and by whom.
struct Cancellation {
  // The actor that asked for it; that of the task itself, if nobody else did.
  ActorId canceller = {};
  // It asked the whole actor to end, not this task.
  bool of_actor = false;
  trio::CancelReason reason = {};
};

// An error as it crosses the wire.
struct BoxedError {
  // The C++ type of what was thrown, readable; and what() of it, or a description.
  std::string type = {};
  std::string message = {};
  // The actor where it was thrown, and the function of its that failed.
  ActorId source = {};
  std::string function = {};
  // Those who passed it on, from the source towards us.
  std::vector<ActorId> relay_path = {};
  // Where it was thrown, innermost frame first; not yet symbolized if `build_id`, of the program
  // that threw it, is our own.
  std::vector<trio::StackFrame> stack = {};
  std::string build_id = {};
  // Of an exception group.
  std::vector<BoxedError> members = {};
  // Of a registered type, see RegisterErrors: its mangled name, the hash of what it serialises, and
  // that.
  std::string registered_as = {};
  std::uint64_t fields_hash = 0;
  std::string fields = {};
  // If it is no error, but a task was cancelled: of a ContextCancelled.
  std::optional<Cancellation> cancellation = {};
};

// Where an error comes from that was thrown in another actor: base of RemoteActorError, and of what
// a registered error or a group is rethrown as. `catch (RemoteOrigin const&)` catches all of them.
// Copies are cheap and share.
class RemoteOrigin {
 public:
  explicit RemoteOrigin(BoxedError error);

  // The C++ type of what was thrown there, readable: "std::out_of_range". Mirrors
  // RemoteActorError.src_type_str.
  std::string const& type_name() const noexcept { return boxed_->type; }

  // What it said.
  std::string const& message() const noexcept { return boxed_->message; }

  // The actor where it was thrown, however many others have passed it on. Mirrors
  // RemoteActorError.src_uid.
  ActorId const& source() const noexcept { return boxed_->source; }

  // The function that the source was asked to run.
  std::string const& function() const noexcept { return boxed_->function; }

  // The actors through which it came, beginning with the source. Mirrors
  // RemoteActorError.relay_path.
  std::vector<ActorId> const& relay_path() const noexcept { return boxed_->relay_path; }

  // The stack as it stood where it was thrown, innermost frame first, with function, file and line;
  // see trio::thrown_at for when it is empty. Looks symbols up. Not a checkpoint.
  std::vector<trio::StackFrame> stack() const;

  // If an exception group was thrown: what was in it, not yet made into exceptions; those are in
  // the trio::ExceptionGroup that this then is, too.
  std::vector<BoxedError> const& members() const noexcept { return boxed_->members; }

  BoxedError const& boxed() const noexcept { return *boxed_; }

  // All of it for people: the error, where it came from and by way of whom, its stack, and its
  // members the same way. Ends in a line break. Looks symbols up.
  std::string report() const;

 private:
  std::shared_ptr<BoxedError const> boxed_;
};

// What report(error) is to be read on.
enum class Look : unsigned char {
  plain,
  // Escape sequences of a terminal.
  coloured,
};

// Any error for people, as tractor::run prints it: a group as a tree of its members, remote errors
// with what RemoteOrigin::report has, local ones with the stack of their throw. Ends in a line
// break. Looks symbols up. Not a checkpoint.
std::string report(std::exception_ptr const& error, Look look = Look::plain);

}  // namespace tractor
