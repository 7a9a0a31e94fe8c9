// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <cstddef>

// What the sanitizers and valgrind must be told about stacks, or nothing where they are off.
// AddressSanitizer takes every throw on a stack it does not know for an overflow; ThreadSanitizer
// takes two fibers for one thread of execution; LeakSanitizer does not look into mapped stacks;
// valgrind takes a switch to a stack nearby for a large frame.

#if defined(__SANITIZE_ADDRESS__)
#define TRIO_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TRIO_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define TRIO_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TRIO_TSAN 1
#endif
#endif

#ifdef TRIO_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#ifdef TRIO_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#ifdef TRIO_VALGRIND
#include <valgrind/valgrind.h>
#endif

namespace trio::detail::sanitizer {

// Unknown to ThreadSanitizer is epoll_pwait2: a signal that comes before it would be kept back
// until it has returned.
#ifdef TRIO_TSAN
inline constexpr bool knows_epoll_pwait2 = false;
#else
inline constexpr bool knows_epoll_pwait2 = true;
#endif

// One side of a switch: what a sanitizer keeps for a stack while it does not run.
struct Side {
  void const* bottom = nullptr;
  std::size_t size = 0;
  void* fake_stack = nullptr;
  void* tsan_fiber = nullptr;
  unsigned valgrind_stack = 0;
};

// Right before a switch from `from` to `to`.
inline void leave([[maybe_unused]] Side& from, [[maybe_unused]] Side& to) noexcept {
#ifdef TRIO_ASAN
  __sanitizer_start_switch_fiber(&from.fake_stack, to.bottom, to.size);
#endif
#ifdef TRIO_TSAN
  __tsan_switch_to_fiber(to.tsan_fiber, 0);
#endif
}

// First thing after `self` runs again.
inline void arrive([[maybe_unused]] Side& self) noexcept {
#ifdef TRIO_ASAN
  __sanitizer_finish_switch_fiber(self.fake_stack, nullptr, nullptr);
#endif
}

// First thing on a stack that never ran; the first of all is entered from the loop, and learns the
// bounds of the loop's own stack, `loop`.
inline void arrive_first([[maybe_unused]] Side& loop) noexcept {
#ifdef TRIO_ASAN
  bool const known = loop.bottom;
  __sanitizer_finish_switch_fiber(nullptr, known ? nullptr : &loop.bottom,
                                  known ? nullptr : &loop.size);
#endif
}

inline void* current_thread_side() noexcept {
#ifdef TRIO_TSAN
  return __tsan_get_current_fiber();
#else
  return nullptr;
#endif
}

// Of a stack that nothing has run on yet.
inline Side make_side(std::byte const* bottom, std::size_t size) noexcept {
  Side side{bottom, size};
#ifdef TRIO_TSAN
  side.tsan_fiber = __tsan_create_fiber(0);
#endif
#ifdef TRIO_VALGRIND
  side.valgrind_stack = VALGRIND_STACK_REGISTER(bottom, bottom + size - 1);
#endif
  return side;
}

inline void destroy_side([[maybe_unused]] Side& side) noexcept {
#ifdef TRIO_TSAN
  __tsan_destroy_fiber(side.tsan_fiber);
#endif
#ifdef TRIO_ASAN
  // The frames of a parked pool fiber never return: what they poisoned must not outlive the memory.
  __asan_unpoison_memory_region(side.bottom, side.size);
#endif
#ifdef TRIO_VALGRIND
  VALGRIND_STACK_DEREGISTER(side.valgrind_stack);
#endif
}

// A stack may hold what is nowhere else. Without its guard, which cannot be read.
inline void stack_mapped([[maybe_unused]] void const* begin,
                         [[maybe_unused]] std::size_t size) noexcept {
#ifdef TRIO_ASAN
  __lsan_register_root_region(begin, size);
#endif
}

inline void stack_unmapped([[maybe_unused]] void const* begin,
                           [[maybe_unused]] std::size_t size) noexcept {
#ifdef TRIO_ASAN
  __lsan_unregister_root_region(begin, size);
#endif
}

}  // namespace trio::detail::sanitizer
