// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "transport_options.hpp"
#include "unix_listening_socket.hpp"

#include <string>

#include <zmq.hpp>

namespace tractor::ipc {

// Has the socket listen at a port that is free, and returns the endpoint. Throws TransportClosed.
std::string listen_by_tcp(zmq::socket_t& socket, TransportOptions const& options);

// Has the socket listen at the Unix socket, which keeps its name. Throws TransportClosed.
std::string listen_by_ipc(zmq::socket_t& socket, UnixListeningSocket& listening);

}  // namespace tractor::ipc
