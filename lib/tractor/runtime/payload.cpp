// SPDX-License-Identifier: BSL-1.0
#include "payload.hpp"

#include "../ipc/transport.hpp"

#include <tractor/wire_errors.hpp>

#include <cstddef>
#include <string>

namespace tractor::runtime {

void check_payload_size(Buffer const& payload, char const* what) {
  // The rest of the message is small.
  constexpr std::size_t rest = 1 << 20;
  if (payload.size() > ipc::max_message_size - rest)
    throw EncodeError(std::string("tractor: ") + what + " of " + std::to_string(payload.size()) +
                      " bytes is too large for one message, which may have " +
                      std::to_string(ipc::max_message_size) + "; send it in parts");
}

}  // namespace tractor::runtime
