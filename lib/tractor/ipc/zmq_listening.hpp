// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "unix_listening_socket.hpp"
#include "zmq_transport.hpp"

#include <optional>
#include <string>

#include <zmq.hpp>

namespace tractor::ipc {

// Has the socket listen; where names are, by `name`, which `file` then holds. Returns the endpoint.
// Throws TransportClosed, std::system_error.
std::string listen_at_new_endpoint(zmq::socket_t& socket, ZmqOptions const& options,
                                   std::string const& name,
                                   std::optional<UnixListeningSocket>& file);

}  // namespace tractor::ipc
