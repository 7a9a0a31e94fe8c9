// SPDX-License-Identifier: BSL-1.0
#include "zmq_listening.hpp"

#include "zmq_error.hpp"

namespace tractor::ipc {

std::string listen_by_tcp(zmq::socket_t& socket, TransportOptions const& options) {
  auto const any_port = "tcp://" + options.address + ":*";
  telling("listen at " + any_port, [&] { socket.bind(any_port); });
  return socket.get(zmq::sockopt::last_endpoint);
}

std::string listen_by_ipc(zmq::socket_t& socket, UnixListeningSocket& listening) {
  auto const endpoint = listening.endpoint();
  socket.set(zmq::sockopt::use_fd, listening.release());
  telling("listen at " + endpoint, [&] { socket.bind(endpoint); });
  return endpoint;
}

}  // namespace tractor::ipc
