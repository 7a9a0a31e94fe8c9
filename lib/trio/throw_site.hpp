// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <cstddef>

namespace trio::detail {

// How many living exceptions have their stack remembered: see trio::thrown_at.
std::size_t throw_sites_remembered();

}  // namespace trio::detail
