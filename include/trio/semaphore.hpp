// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/guard.hpp>
#include <trio/parking_lot.hpp>
#include <trio/unbounded.hpp>

#include <cstddef>

namespace trio {

// Mirrors trio.SemaphoreStatistics.
struct SemaphoreStatistics {
  std::size_t tasks_waiting = 0;
};

// A counter that waits instead of falling below zero: acquire() takes one, release() gives one, and
// not necessarily the same task. It counts things that come and go, such as free places; where each
// user gives back its own, a CapacityLimiter catches more mistakes. Fair: release() hands on to
// whoever waits longest before that task runs, so nobody overtakes. For one run's thread only.
// Mirrors trio.Semaphore.
class Semaphore {
 public:
  // With a `max_value`, a release() too many is caught. Throws std::invalid_argument if
  // `initial_value` is above it.
  explicit Semaphore(std::size_t initial_value, std::size_t max_value = unbounded);

  std::size_t value() const noexcept { return value_; }

  std::size_t max_value() const noexcept { return max_value_; }

  // Takes one, waiting while there is none; a checkpoint always. Cancelled: nothing was taken.
  // Throws MisuseError outside a task, or if someone reschedules the task by hand;
  // BrokenResourceError if the semaphore is destroyed meanwhile.
  void acquire();
  // Takes one at once or throws WouldBlock. Not a checkpoint.
  void acquire_nowait();
  // Gives one: to whoever waits longest, or back. Throws MisuseError if the value is at its
  // maximum. Not a checkpoint.
  void release();

  // Acquires (a checkpoint) until the guard is destroyed.
  Guard<Semaphore> guard() { return Guard(*this); }

  // Mirrors Semaphore.statistics. Counts the tasks that wait.
  SemaphoreStatistics statistics() const noexcept { return {lot_.size()}; }

 private:
  bool try_acquire() noexcept;

  // Invariant: 0 while anybody waits.
  std::size_t value_;
  std::size_t const max_value_;
  lowlevel::ParkingLot lot_;
};

}  // namespace trio
