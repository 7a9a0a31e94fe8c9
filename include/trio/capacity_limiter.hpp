// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/guard.hpp>
#include <trio/parking_lot.hpp>
#include <trio/unbounded.hpp>

#include <cstddef>
#include <unordered_map>
#include <vector>

namespace trio {

class Task;

// What a CapacityLimiter has lent, and to whom. Mirrors trio.CapacityLimiterStatistics.
struct CapacityLimiterStatistics {
  std::size_t borrowed_tokens = 0;
  std::size_t total_tokens = 0;
  // Who holds a token, in no order.
  std::vector<void const*> borrowers = {};
  std::size_t tasks_waiting = 0;
};

// A number of tokens, each lent to one borrower at a time: how many may do something at once, such
// as occupy a thread. Unlike a Semaphore it knows who holds its tokens, and how many there are may
// change at any time.
//
//   trio::CapacityLimiter limiter(4);
//   ...
//   auto const held = limiter.guard();  // in as many tasks as there are; four at a time go on
//
// A borrower is the task that calls, or any address that stands for someone else. Fair: a token
// that becomes free goes to whoever waits longest before that task runs, so nobody overtakes. What
// is not released stays lent, even if its borrower is gone. For one run's thread only. Mirrors
// trio.CapacityLimiter.
class CapacityLimiter {
 public:
  // A task, or anything else that has an address for as long as it holds a token.
  using Borrower = void const*;

  // `unbounded` lets everybody in, 0 nobody.
  explicit CapacityLimiter(std::size_t total_tokens) noexcept : total_(total_tokens) {}

  std::size_t total_tokens() const noexcept { return total_; }

  // With more tokens, those who have waited longest get theirs at once; with less, nobody loses
  // one, and the next is lent when enough have come back. Not a checkpoint.
  void set_total_tokens(std::size_t total_tokens);

  // How many tokens are lent; more than there are, after their number was lowered.
  std::size_t borrowed_tokens() const noexcept { return borrowed_; }

  // How many could be lent now.
  std::size_t available_tokens() const noexcept;

  // Borrows a token for this task, waiting for one; a checkpoint always. Cancelled: nothing was
  // borrowed. Throws MisuseError if this task has one already, outside a task, or if someone
  // reschedules the task by hand; BrokenResourceError if the limiter is destroyed meanwhile.
  void acquire();
  // Borrows one at once or throws WouldBlock; MisuseError as acquire() does. Not a checkpoint.
  void acquire_nowait();
  // The same for another borrower, which may have, or wait for, one token only.
  void acquire_on_behalf_of(Borrower borrower);
  void acquire_on_behalf_of_nowait(Borrower borrower);

  // Gives this task's token back. Throws MisuseError if it has none, or outside a task. Not a
  // checkpoint.
  void release();
  // Gives back what `borrower` borrowed; any task may. Throws MisuseError if it has nothing.
  void release_on_behalf_of(Borrower borrower);

  // Acquires (a checkpoint) until the guard is destroyed.
  Guard<CapacityLimiter> guard() { return Guard(*this); }

  // As it stands now. Counts the tasks that wait. Not a checkpoint. Mirrors
  // CapacityLimiter.statistics.
  CapacityLimiterStatistics statistics() const;

 private:
  bool try_acquire(Borrower borrower);
  void lend_to_waiters();

  std::size_t total_;
  std::size_t borrowed_ = 0;
  // Everybody who has a token (true) or waits for one. Invariant: nobody waits while there is one.
  std::unordered_map<Borrower, bool> borrowers_;
  // For whom the tasks in the lot wait.
  std::unordered_map<Task*, Borrower> waiting_;
  lowlevel::ParkingLot lot_;
};

}  // namespace trio
