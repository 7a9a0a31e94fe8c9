// SPDX-License-Identifier: BSL-1.0
#include <trio/capacity_limiter.hpp>
#include <trio/detail/keep_frame.hpp>
#include <trio/errors.hpp>
#include <trio/lowlevel.hpp>

namespace trio {

void CapacityLimiter::set_total_tokens(std::size_t total_tokens) {
  total_ = total_tokens;
  lend_to_waiters();
}

std::size_t CapacityLimiter::available_tokens() const noexcept {
  if (total_ == unbounded) return unbounded;
  return total_ > borrowed_ ? total_ - borrowed_ : 0;
}

bool CapacityLimiter::try_acquire(Borrower borrower) {
  if (borrowers_.contains(borrower))
    throw MisuseError(
        "trio: this borrower has a token of the limiter already, or waits for one; each may have "
        "one at a time");
  if (available_tokens() == 0) return false;
  borrowers_.emplace(borrower, true);
  ++borrowed_;
  return true;
}

void CapacityLimiter::acquire() {
  acquire_on_behalf_of(&lowlevel::current_task());
  detail::keep_frame();
}

void CapacityLimiter::acquire_nowait() { acquire_on_behalf_of_nowait(&lowlevel::current_task()); }

void CapacityLimiter::acquire_on_behalf_of_nowait(Borrower borrower) {
  if (!try_acquire(borrower)) throw WouldBlock();
}

void CapacityLimiter::acquire_on_behalf_of(Borrower borrower) {
  lowlevel::checkpoint_if_cancelled();
  if (try_acquire(borrower)) return lowlevel::cancel_shielded_checkpoint();
  Task& task = lowlevel::current_task();
  borrowers_.emplace(borrower, false);
  waiting_.emplace(&task, borrower);
  try {
    lot_.park();
  } catch (BrokenResourceError const&) {
    // The limiter is gone.
    throw;
  } catch (...) {
    waiting_.erase(&task);
    borrowers_.erase(borrower);
    throw;
  }
}

void CapacityLimiter::release() { release_on_behalf_of(&lowlevel::current_task()); }

void CapacityLimiter::release_on_behalf_of(Borrower borrower) {
  auto const found = borrowers_.find(borrower);
  if (found == borrowers_.end() || !found->second)
    throw MisuseError("trio: this borrower has no token of the limiter to give back");
  borrowers_.erase(found);
  --borrowed_;
  lend_to_waiters();
}

void CapacityLimiter::lend_to_waiters() {
  while (borrowed_ < total_) {
    Task* const task = lot_.unpark_one();
    if (!task) return;
    borrowers_.at(waiting_.extract(task).mapped()) = true;
    ++borrowed_;
  }
}

CapacityLimiterStatistics CapacityLimiter::statistics() const {
  CapacityLimiterStatistics now{borrowed_, total_, {}, lot_.size()};
  for (auto const& [borrower, has_token] : borrowers_)
    if (has_token) now.borrowers.push_back(borrower);
  return now;
}

}  // namespace trio
