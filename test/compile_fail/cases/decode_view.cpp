// SPDX-License-Identifier: BSL-1.0
// expect: cannot be sent
#include "portal.hpp"

std::string_view use() { return tractor::decode<std::string_view>(std::span<std::byte const>()); }
