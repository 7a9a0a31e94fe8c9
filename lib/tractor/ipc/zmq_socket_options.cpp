// SPDX-License-Identifier: BSL-1.0
#include "zmq_socket_options.hpp"

namespace tractor::ipc {

void apply_options(zmq::socket_t& socket, TransportOptions const& options) {
  auto const milliseconds = [](std::chrono::milliseconds time) {
    return static_cast<int>(time.count());
  };
  // Flow is controlled above, by credits. A bound here would stop ZeroMQ reading, and so answering
  // heartbeats, or drop messages.
  socket.set(zmq::sockopt::sndhwm, 0);
  socket.set(zmq::sockopt::rcvhwm, 0);
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::maxmsgsize, options.max_message_size);
  socket.set(zmq::sockopt::handshake_ivl, milliseconds(options.handshake_timeout));
  if (options.heartbeat_bound) {
    auto const interval = *options.heartbeat_bound / 4;
    socket.set(zmq::sockopt::heartbeat_ivl, milliseconds(interval));
    socket.set(zmq::sockopt::heartbeat_timeout, milliseconds(*options.heartbeat_bound - interval));
    socket.set(zmq::sockopt::heartbeat_ttl, milliseconds(*options.heartbeat_bound));
  }
}

}  // namespace tractor::ipc
