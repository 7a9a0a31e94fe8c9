// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <string>

namespace tractor::runtime {

// 128 random bits as 32 hexadecimal digits: never the same twice, and not to be guessed.
std::string make_unique_id();

}  // namespace tractor::runtime
