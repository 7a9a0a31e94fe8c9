// SPDX-License-Identifier: BSL-1.0
#pragma once

// Whether the tests run under AddressSanitizer: larger frames, slower, with descriptors and a look
// for leaks of its own.
namespace support {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool sanitized = true;
#elif defined(__has_feature)
inline constexpr bool sanitized = __has_feature(address_sanitizer);
#else
inline constexpr bool sanitized = false;
#endif

}  // namespace support
