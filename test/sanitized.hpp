// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace support {

// Whether the tests run under AddressSanitizer: larger frames, slower, with descriptors and a look
// for leaks of its own.

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool sanitized = true;
#elif defined(__has_feature)
inline constexpr bool sanitized = __has_feature(address_sanitizer);
#else
inline constexpr bool sanitized = false;
#endif

// Whether they run under ThreadSanitizer, which delays signals and takes memory without measure.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool under_tsan = true;
#elif defined(__has_feature)
inline constexpr bool under_tsan = __has_feature(thread_sanitizer);
#else
inline constexpr bool under_tsan = false;
#endif

}  // namespace support
