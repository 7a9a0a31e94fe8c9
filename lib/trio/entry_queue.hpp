// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <atomic>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>

namespace trio::lowlevel::detail_token {

// The calls that other threads have asked a run to make, and the wake-up that goes with them.
class EntryQueue {
 public:
  // `wake_descriptor` is the run's eventfd.
  explicit EntryQueue(int wake_descriptor) noexcept : wake_descriptor_(wake_descriptor) {}

  // Any thread. Throws RunFinishedError after close().
  void push(std::function<void()> fn, void const* idempotent);

  // Makes the loop turn, now or soon. Any thread, or a signal handler.
  void wake() noexcept;
  // Whether wake() was called since the last time this was asked. For the loop.
  bool take_wake() noexcept { return woken_.exchange(false, std::memory_order_acquire); }
  bool was_woken() const noexcept { return woken_.load(std::memory_order_relaxed); }

  // Makes the calls queued so far, in order, giving what one throws to `failed`. Bounded: what they
  // queue themselves waits for the next time.
  void run_queued(std::function<void(std::exception_ptr)> const& failed);
  std::size_t size() const;
  // From here on push() throws. Another close() does nothing.
  void close();
  // The eventfd is about to be closed.
  void forget_descriptor() noexcept { wake_descriptor_.store(-1); }

 private:
  struct Call {
    std::function<void()> fn;
    void const* idempotent;
  };

  std::mutex mutable mutex_;
  std::deque<Call> calls_;
  bool closed_ = false;
  std::atomic<bool> woken_ = false;
  std::atomic<int> wake_descriptor_;
};

}  // namespace trio::lowlevel::detail_token
