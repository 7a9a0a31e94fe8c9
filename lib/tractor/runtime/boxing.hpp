// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "../wire/message.hpp"

#include <tractor/actor_id.hpp>
#include <tractor/remote_origin.hpp>

#include <cstdint>
#include <exception>
#include <string>

namespace tractor::runtime {

// What came out of `function` here in `self`, as the message that ends its dialog: an error, or,
// if it is nothing but Cancelled, that the dialog was cancelled, as `cancellation` says but for the
// reason, which the Cancelled has. For a peer of another build, stacks get their symbols here.
wire::Error box_outcome(std::exception_ptr const& error, std::string const& function,
                        std::uint64_t dialog, ActorId const& self, bool same_build,
                        Cancellation cancellation);

// Any other error.
wire::Error box_error(std::exception_ptr const& error, std::string const& function,
                      std::uint64_t dialog, ActorId const& self, bool same_build);

// A dialog that was cancelled.
wire::Error box_cancelled(Cancellation cancellation, std::uint64_t dialog, ActorId const& self);

// Such a message as the exception that the caller gets: a registered error, RemoteActorError,
// ContextCancelled, SignatureMismatch, or one of the CallRefused.
std::exception_ptr unbox(wire::Error message);

// The fields of an Error that refuses a call because of its signature: the one it was called by,
// and the one of the function.
struct Signatures {
  std::string expected = {};
  std::string received = {};

  template <class Archive> void serialize(Archive& archive) { archive(expected, received); }
};

std::string box_signatures(Signatures const& signatures);

}  // namespace tractor::runtime
