// SPDX-License-Identifier: BSL-1.0
#include "no_waiting.hpp"

#include <trio/errors.hpp>

#include <atomic>
#include <bit>
#include <climits>
#include <mutex>

#include <cxxabi.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace trio::detail {

namespace {

thread_local constinit int initialisations = 0;

}  // namespace

NoWaiting::NoWaiting() noexcept
    : initialisations_(&initialisations),
      initialisations_outside_(initialisations),
      once_callable_(&std::__once_callable),
      once_callable_outside_(std::__once_callable) {}

void NoWaiting::look_closer() const {
  if (*once_callable_ && *once_callable_ != once_callable_outside_)
    throw MisuseError(
        "trio: the function of std::call_once must not wait: another task that came to it would "
        "block the thread for ever");
  if (*initialisations_ != initialisations_outside_)
    throw MisuseError(
        "trio: the initialiser of a static variable must not wait: another task that came to it "
        "would block the thread for ever");
}

}  // namespace trio::detail

// What compilers call around the initialiser of a function-local static, unless its first byte says
// that it is done. Nothing else tells that one is under way; so these stand in for libstdc++'s, and
// count.
//
// Where they do not reach, libstdc++'s own are at work in the same process, and on the same
// variables: in a plugin that was loaded before libtrio, or that has brought its own libstdc++. So
// they keep to the letter of what libstdc++ does (guard.cc, unchanged since gcc 4.8): the bits, and
// how those who wait are put to sleep and woken. std::atomic's wait() would not do: it wakes only
// those who sleep in it.
namespace __cxxabiv1 {

namespace {

static_assert(std::endian::native == std::endian::little && sizeof(__guard) == 8,
              "trio: the guards of static variables are laid out differently here");

constexpr int done = 1;
constexpr int under_way = 1 << 8;
constexpr int waited_for = 1 << 16;

int* word_of(__guard* guard) noexcept { return reinterpret_cast<int*>(guard); }

void leave(__guard* guard, int state) noexcept {
  --trio::detail::initialisations;
  auto const before = std::atomic_ref(*word_of(guard)).exchange(state, std::memory_order_acq_rel);
  if (before & waited_for) syscall(SYS_futex, word_of(guard), FUTEX_WAKE, INT_MAX);
}

}  // namespace

extern "C" {

// 1: the caller is to initialise it; 0: it is done.
int __cxa_guard_acquire(__guard* guard) {
  std::atomic_ref const word(*word_of(guard));
  for (int state = 0;; state = 0) {
    if (word.compare_exchange_strong(state, under_way, std::memory_order_acq_rel)) {
      ++trio::detail::initialisations;
      return 1;
    }
    if (state & done) return 0;
    int const awaited = under_way | waited_for;
    if (state == awaited || word.compare_exchange_strong(state, awaited))
      syscall(SYS_futex, word_of(guard), FUTEX_WAIT, awaited, nullptr);
  }
}

void __cxa_guard_release(__guard* guard) noexcept { leave(guard, done); }

void __cxa_guard_abort(__guard* guard) noexcept { leave(guard, 0); }

}  // extern "C"

}  // namespace __cxxabiv1
