// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <cstdlib>
#include <cstring>

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

// Whether they run under valgrind, which keeps some descriptors for itself.
inline bool under_valgrind() {
  char const* const preloaded = std::getenv("LD_PRELOAD");
  return preloaded && std::strstr(preloaded, "/vgpreload_");
}

// How much longer things may take there.
inline int slowness() { return under_valgrind() ? 30 : 1; }

}  // namespace support
