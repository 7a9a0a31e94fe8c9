// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <zmq.hpp>

namespace tractor::ipc {

// What ZeroMQ knows of the connection a message came by, as zmq_msg_gets(3); empty if nothing.
inline char const* property(zmq::message_t const& message, char const* name) {
  char const* const value = zmq_msg_gets(message.handle(), name);
  return value ? value : "";
}

}  // namespace tractor::ipc
