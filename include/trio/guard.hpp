// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace trio {

// Holds for a block what has acquire() and release(): a lock, a condition's lock, a place in a
// semaphore or limiter. What trio's `async with lock:` is.
//
//   auto const held = lock.guard();
//
// What the task was given in between by hand, it must give back by hand: the guard releases once.
template <class L> class [[nodiscard]] Guard {
 public:
  // Acquires, as `held.acquire()` does: a checkpoint, and what it throws.
  explicit Guard(L& held) : held_(held) { held_.acquire(); }

  Guard(Guard const&) = delete;
  Guard& operator=(Guard const&) = delete;

  // Releases. Not a checkpoint.
  ~Guard() {
    // A broken lock is nobody's.
    if constexpr (requires { held_.is_broken(); }) {
      if (held_.is_broken()) return;
    }
    held_.release();
  }

 private:
  L& held_;
};

}  // namespace trio
