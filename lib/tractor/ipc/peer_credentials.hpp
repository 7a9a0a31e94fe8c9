// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <optional>
#include <string_view>

#include <sys/types.h>

namespace tractor::ipc {

// Who is at the other end, as the kernel says (not the peer).
struct PeerCredentials {
  uid_t uid = 0;
  pid_t pid = 0;
};

// Of a connected Unix socket: who connected, or who listens. Empty if the kernel does not know.
std::optional<PeerCredentials> credentials_of(int socket) noexcept;

// The same as ZeroMQ tells it, in a peer's address; empty if that is no Unix socket's.
std::optional<PeerCredentials> credentials_in(std::string_view peer_address);

}  // namespace tractor::ipc
