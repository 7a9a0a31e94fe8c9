// SPDX-License-Identifier: BSL-1.0
#include "zmq_listening.hpp"

#include "zmq_error.hpp"

namespace tractor::ipc {

std::string listen_at_new_endpoint(zmq::socket_t& socket, ZmqOptions const& options,
                                   std::string const& name,
                                   std::optional<UnixListeningSocket>& file) {
  if (options.kind == TransportKind::ipc) {
    file.emplace(options.directory, name);
    auto const endpoint = "ipc://" + file->path();
    socket.set(zmq::sockopt::use_fd, file->release());
    telling("listen at " + endpoint, [&] { socket.bind(endpoint); });
    return endpoint;
  }
  auto const any_port = "tcp://" + options.address + ":*";
  telling("listen at " + any_port, [&] { socket.bind(any_port); });
  return socket.get(zmq::sockopt::last_endpoint);
}

}  // namespace tractor::ipc
