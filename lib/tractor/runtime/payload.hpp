// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/buffer.hpp>

namespace tractor::runtime {

// Throws EncodeError for a payload that no link would carry: "an argument list of 4711 bytes".
void check_payload_size(Buffer const& payload, char const* what);

}  // namespace tractor::runtime
