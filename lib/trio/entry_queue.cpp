// SPDX-License-Identifier: BSL-1.0
#include "entry_queue.hpp"

#include <trio/detail/guarded.hpp>
#include <trio/errors.hpp>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

#include <sys/eventfd.h>
#include <unistd.h>

namespace trio::lowlevel::detail_token {

EntryQueue::EntryQueue() : wake_descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (wake_descriptor_ < 0)
    throw std::system_error(errno, std::generic_category(), "trio: eventfd");
}

EntryQueue::~EntryQueue() { ::close(wake_descriptor_); }

void EntryQueue::push(std::function<void()> fn, void const* idempotent) {
  std::lock_guard const lock(mutex_);
  if (closed_) throw RunFinishedError();
  if (!idempotent || !keys_.contains(idempotent)) {
    calls_.push_back({std::move(fn), idempotent});
    if (idempotent) keys_.insert(idempotent);
  }
  wake();
}

void EntryQueue::wake() noexcept {
  woken_.store(true, std::memory_order_release);
  int const error = errno;
  std::uint64_t const one = 1;
  // Fails only when the counter is full, and then the loop is awake.
  [[maybe_unused]] auto const written = write(wake_descriptor_, &one, sizeof one);
  errno = error;
}

void EntryQueue::run_queued(std::function<void(std::exception_ptr)> const& failed) {
  for (std::size_t left = size(); left > 0; --left) {
    std::function<void()> fn;
    {
      std::lock_guard const lock(mutex_);
      fn = std::move(calls_.front().fn);
      keys_.erase(calls_.front().idempotent);
      calls_.pop_front();
    }
    if (auto error = detail::caught_from(fn)) failed(std::move(error));
  }
}

std::size_t EntryQueue::size() const {
  std::lock_guard const lock(mutex_);
  return calls_.size();
}

void EntryQueue::close() {
  std::lock_guard const lock(mutex_);
  closed_ = true;
}

}  // namespace trio::lowlevel::detail_token
