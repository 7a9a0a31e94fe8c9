// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <optional>

#include <sys/types.h>

namespace tractor::ipc {

// Who is at the other end, as the kernel says (not the peer).
struct PeerCredentials {
  uid_t uid = 0;
  pid_t pid = 0;
};

// Of a connected Unix socket: who connected, or who listens. Empty if the kernel does not know.
std::optional<PeerCredentials> credentials_of(int socket) noexcept;

}  // namespace tractor::ipc
