// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "transport.hpp"

#include <tractor/root_options.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace tractor::ipc {

// How links are carried by ZeroMQ.
struct ZmqOptions {
  // ipc: Unix sockets. tcp: IPv4.
  TransportKind kind = TransportKind::ipc;
  // Where the Unix sockets are made: must be ours, and closed to everybody else (mode 0700).
  std::string directory = {};
  // The interface that tcp listens on.
  std::string address = "127.0.0.1";
  // How long connecting may take, and a peer to say who it is. The scheduler at the other end need
  // not be prompt: it is not asked yet.
  std::chrono::milliseconds handshake_timeout = std::chrono::seconds(3);
  // A peer that sends a larger message loses its link. Bytes.
  std::int64_t max_message_size = ipc::max_message_size;
  // In what time a peer loses its link that cannot be reached any more, or whose process stands
  // still; empty: never. For links between hosts. On one host the kernel tells every end, and
  // standing still is for an actor's parent to judge, which asks its scheduler, to a bound that the
  // user sets, and knows whether a debugger holds it.
  std::optional<std::chrono::milliseconds> heartbeat_bound = std::nullopt;
  // Told, by a task of the service nursery, of each stranger that was refused and each peer that
  // broke the rules. Must neither wait nor throw.
  std::function<void(std::string const&)> report = [](std::string const&) {};
};

// A transport over ZeroMQ. Each link is two connections, one a lane, that are made once and never
// again: when one of them ends, so does the link. Links and listeners may outlive the transport
// object; the last of them to go blocks this thread while closed links linger. Over tcp, what the
// other end sends meanwhile may cut short what lingers: let it know first. Throws TransportClosed.
std::unique_ptr<Transport> make_zmq_transport(trio::Nursery& service, ZmqOptions options);

}  // namespace tractor::ipc
