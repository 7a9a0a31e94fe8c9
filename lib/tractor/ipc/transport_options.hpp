// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/root_options.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace tractor::ipc {

// What a message may weigh, header and payload, in bytes: a peer that sends more loses its link.
inline constexpr std::size_t max_message_size = std::size_t(1) << 30;

// How actors reach each other.
struct TransportOptions {
  // ipc: Unix sockets, for processes of one host and one user. tcp: IPv4.
  TransportKind kind = TransportKind::ipc;
  // Where the Unix sockets are made: must be ours, and closed to everybody else (mode 0700).
  std::string directory = {};
  // The interface that tcp listens on.
  std::string address = "127.0.0.1";
  // How long connecting may take, over tcp, and a peer to say who it is.
  std::chrono::milliseconds handshake_timeout = std::chrono::seconds(3);
  // A peer that sends a larger message loses its link. Bytes.
  std::int64_t max_message_size = ipc::max_message_size;
  // In what time a peer loses its link, over tcp, that cannot be reached any more or whose process
  // stands still; empty: never. On one host the kernel tells every end, and standing still is for
  // an actor's parent to judge, which asks its scheduler, to a bound that the user sets, and knows
  // whether a debugger holds it.
  std::optional<std::chrono::milliseconds> heartbeat_bound = std::nullopt;
  // Told, by a task of the service nursery, of each stranger that was refused and each peer that
  // broke the rules. Must neither wait nor throw.
  std::function<void(std::string const&)> report = [](std::string const&) {};
};

}  // namespace tractor::ipc
