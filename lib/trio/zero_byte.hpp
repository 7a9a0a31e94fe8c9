// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <string_view>

namespace trio::detail {

// Whether the system, which takes a text to end at its first zero byte, would take it for another.
inline bool has_zero_byte(std::string_view text) noexcept {
  return text.find('\0') != std::string_view::npos;
}

}  // namespace trio::detail
