// SPDX-License-Identifier: BSL-1.0
#include "peer_credentials.hpp"

#include <charconv>

#include <sys/socket.h>

namespace tractor::ipc {

namespace {

// The number at the beginning of `text`, which is taken off, as is the colon behind it.
std::optional<unsigned> take_number(std::string_view& text) {
  unsigned number = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return {};
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.starts_with(':')) text.remove_prefix(1);
  return number;
}

}  // namespace

std::optional<PeerCredentials> credentials_of(int socket) noexcept {
  ucred peer = {};
  socklen_t size = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return {};
  return PeerCredentials{peer.uid, peer.pid};
}

std::optional<PeerCredentials> credentials_in(std::string_view peer_address) {
  constexpr std::string_view unix_socket = "localhost:";
  if (!peer_address.starts_with(unix_socket)) return {};
  peer_address.remove_prefix(unix_socket.size());
  auto const uid = take_number(peer_address);
  auto const gid = take_number(peer_address);
  auto const pid = take_number(peer_address);
  if (!uid || !gid || !pid) return {};
  return PeerCredentials{static_cast<uid_t>(*uid), static_cast<pid_t>(*pid)};
}

}  // namespace tractor::ipc
