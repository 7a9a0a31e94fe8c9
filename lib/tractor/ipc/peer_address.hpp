// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "transport.hpp"

#include <optional>
#include <string_view>

namespace tractor::ipc {

// What ZeroMQ says of a peer's address: for a Unix socket, the credentials that the kernel gave;
// otherwise empty.
std::optional<PeerCredentials> credentials_in(std::string_view peer_address);

}  // namespace tractor::ipc
