// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "fan_out.hpp"
#include "zmq_socket.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <zmq.hpp>

// What goes by XPUB and XSUB. ZeroMQ compares how a message begins with what was subscribed to;
// the zero byte behind a topic makes that exact. Behind it come the stamp and the payload, which is
// a part of its own if it is large.
namespace tractor::ipc {

// The first byte of what an intake says: neither of those by which XSUB subscribes and leaves.
inline constexpr char said = 2;

// What an XSUB says to the XPUB to choose a topic, or to leave it.
zmq::message_t encode_choice(bool hear, std::string_view topic, Match match);

// The topic, without the zero byte behind it; empty if there is none.
std::optional<std::string_view> unterminated(std::string_view topic);

// Appends the parts to `message`.
void encode(std::string_view topic, Stamp const& stamp, Buffer payload, ZmqMessage& message);

// What an intake takes out of a message.
struct Heard {
  std::string topic;
  Stamp stamp;
  Buffer payload;
};

// Takes the parts; empty if they are none of ours.
std::optional<Heard> decode_heard(std::span<zmq::message_t> parts);

}  // namespace tractor::ipc
