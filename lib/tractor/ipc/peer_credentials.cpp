// SPDX-License-Identifier: BSL-1.0
#include "peer_credentials.hpp"

#include <sys/socket.h>

namespace tractor::ipc {

std::optional<PeerCredentials> credentials_of(int socket) noexcept {
  ucred peer = {};
  socklen_t size = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return {};
  return PeerCredentials{peer.uid, peer.pid};
}

}  // namespace tractor::ipc
