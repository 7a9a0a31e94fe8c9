// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "transport_options.hpp"

#include <zmq.hpp>

namespace tractor::ipc {

// Sets what both ends of a link have in common.
void apply_options(zmq::socket_t& socket, TransportOptions const& options);

}  // namespace tractor::ipc
