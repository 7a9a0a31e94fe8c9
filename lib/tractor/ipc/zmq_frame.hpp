// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "transport.hpp"
#include "zmq_socket.hpp"

#include <optional>
#include <span>

#include <zmq.hpp>

namespace tractor::ipc {

// What a ZeroMQ message between two ends of a link is; its first byte.
enum class ZmqKind : unsigned char {
  // A frame in one part.
  frame,
  // A frame whose payload is a second part, which is not copied at either end.
  large_frame,
  // The listener has let this lane in.
  welcome,
  // To see whether the peer is there; to be ignored.
  probe,
  // The last message of this lane.
  end,
};

// The first message of a lane is empty: ZeroMQ itself sends it, when connected.
bool is_greeting(std::span<zmq::message_t const> parts);

// The kind of a message; empty if it is none of ours.
std::optional<ZmqKind> kind_of(std::span<zmq::message_t const> parts);

// A message that is only its kind.
zmq::message_t encode(ZmqKind kind);

// Appends a frame's parts to `message`.
void encode(Frame frame, ZmqMessage& message);

// The frame in a message of kind `frame` or `large_frame`, whose parts it takes; empty if it is
// malformed.
std::optional<Frame> decode(ZmqKind kind, std::span<zmq::message_t> parts);

}  // namespace tractor::ipc
