// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <cstdint>

namespace tractor::detail {

// How far `address` lies from the start of the main program, which is the same in every process
// that runs it; 0 if it lies elsewhere.
std::uint64_t offset_in_program(void const* address);

}  // namespace tractor::detail
