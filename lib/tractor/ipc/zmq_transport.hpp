// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "transport.hpp"

#include <memory>

namespace tractor::ipc {

// A transport over ZeroMQ and TCP. Each link is two connections, one a lane, that are made once and
// never again: when one of them ends, so does the link. Links and listeners may outlive the
// transport object; the last of them to go blocks this thread while closed links linger. What the
// other end sends meanwhile may cut short what lingers: let it know first. Throws TransportClosed.
std::unique_ptr<Transport> make_zmq_transport(trio::Nursery& service, TransportOptions options);

}  // namespace tractor::ipc
