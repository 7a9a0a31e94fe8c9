// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/guard.hpp>
#include <trio/parking_lot.hpp>

#include <cstddef>

namespace trio {

class Task;

// Mirrors trio.LockStatistics.
struct LockStatistics {
  // As Lock::locked() and Lock::owner().
  bool locked = false;
  Task* owner = nullptr;
  std::size_t tasks_waiting = 0;
};

// A mutual exclusion lock between tasks, owned by a task and not reentrant. Fair: release() hands
// the lock to whoever waits longest before that task runs, so nobody overtakes. If its owner ends
// without releasing, or it is destroyed, those who wait get BrokenResourceError. For one run's
// thread only. Mirrors trio.Lock.
class Lock {
 public:
  // Waits for the lock; a checkpoint always. Throws MisuseError if this task holds it already,
  // outside a task, or if someone reschedules the task by hand; BrokenResourceError if the owner
  // ended. Cancelled: the lock is not taken.
  void acquire();
  // Takes it at once or throws WouldBlock. Throws MisuseError and BrokenResourceError as acquire()
  // does. Not a checkpoint.
  void acquire_nowait();
  // Gives it up. Throws MisuseError if this task does not hold it or there is no task. Not a
  // checkpoint.
  void release();

  // Whether a task holds it, or ended while it did.
  bool locked() const noexcept { return owner_ != nullptr; }

  // Who holds it; null if nobody does.
  Task* owner() const noexcept { return lot_.is_broken() ? nullptr : owner_; }

  // Whether the task that held it has ended: nobody will ever have it again.
  bool is_broken() const noexcept { return lot_.is_broken(); }

  // How many tasks wait.
  std::size_t tasks_waiting() const noexcept { return lot_.size(); }

  // Acquires (a checkpoint) until the guard is destroyed.
  Guard<Lock> guard() { return Guard(*this); }

  // Mirrors Lock.statistics. Counts the tasks that wait.
  LockStatistics statistics() const noexcept { return {locked(), owner(), tasks_waiting()}; }

 private:
  friend class Condition;

  bool try_acquire();
  // Whatever is cancelled meanwhile.
  void acquire_uncancellable();

  Task* owner_ = nullptr;
  lowlevel::ParkingLot lot_;
};

// A Lock whose order is part of its contract: whoever asks first has it first. Lock does the same
// today and only promises to be fair; take this one where the order matters to you, and to say so.
// Mirrors trio.StrictFIFOLock.
class StrictFIFOLock final : public Lock {};

}  // namespace trio
