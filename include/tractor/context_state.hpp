// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace tractor {

// Where a context stands, as one side of it sees it. Mirrors tractor's Context.repr_state.
enum class ContextState : unsigned char {
  // The callee has not called started() yet.
  starting,
  started,
  // This side's stream is open.
  streaming,
  // This side's stream was closed.
  streaming_finished,
  // It ended: this side cancelled it, the other side did, or the actor of the callee was ended.
  self_cancelled,
  peer_cancelled,
  actor_cancelled,
  // It ended by an error, of the callee, of the link, or of the stream.
  errored,
  // The callee returned.
  returned,
};

// "streaming-finished".
char const* describe(ContextState state) noexcept;

}  // namespace tractor
