// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <cstddef>
#include <limits>

namespace trio {

// No bound: the capacity of a memory channel whose send() never waits (and memory is the limit),
// the tokens of a CapacityLimiter that lets everybody in. Where trio takes math.inf.
inline constexpr std::size_t unbounded = std::numeric_limits<std::size_t>::max();

}  // namespace trio
