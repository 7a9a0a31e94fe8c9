// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <atomic>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <unordered_set>

namespace trio::lowlevel::detail_token {

// The calls that other threads have asked a run to make, and the wake-up that goes with them.
class EntryQueue {
 public:
  // Throws std::system_error if the kernel gives no eventfd.
  EntryQueue();
  EntryQueue(EntryQueue const&) = delete;
  EntryQueue& operator=(EntryQueue const&) = delete;
  ~EntryQueue();

  // Any thread. Throws RunFinishedError after close().
  void push(std::function<void()> fn, void const* idempotent);

  // Makes the loop turn, now or soon. Any thread, or a signal handler.
  void wake() noexcept;

  // An eventfd that is readable from wake() until it is read. As threads may call wake() at any
  // time, it is open as long as one of them holds the queue.
  int wake_descriptor() const noexcept { return wake_descriptor_; }

  // Whether wake() was called since the last time this was asked. For the loop.
  bool take_wake() noexcept { return woken_.exchange(false, std::memory_order_acquire); }

  bool was_woken() const noexcept { return woken_.load(std::memory_order_relaxed); }

  // Makes the calls queued so far, in order, giving what one throws to `failed`. Bounded: what they
  // queue themselves waits for the next time.
  void run_queued(std::function<void(std::exception_ptr)> const& failed);
  std::size_t size() const;
  // From here on push() throws. Another close() does nothing.
  void close();

 private:
  struct Call {
    std::function<void()> fn;
    void const* idempotent;
  };

  int const wake_descriptor_;
  std::atomic<bool> woken_ = false;
  std::mutex mutable mutex_;
  std::deque<Call> calls_;
  // The idempotent ones' keys.
  std::unordered_set<void const*> keys_;
  bool closed_ = false;
};

}  // namespace trio::lowlevel::detail_token
