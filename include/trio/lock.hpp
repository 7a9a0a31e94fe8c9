// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/parking_lot.hpp>

#include <cstddef>

namespace trio {

class Task;

// A mutual exclusion lock between tasks, owned by a task and not reentrant. Fair: release() hands
// the lock to whoever waits longest before that task runs, so nobody overtakes. If its owner ends
// without releasing, those who wait get BrokenResourceError. For one run's thread only. Mirrors
// trio.Lock.
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

  // How many tasks wait.
  std::size_t tasks_waiting() const noexcept { return lot_.size(); }

  // Holds a lock for a block.
  class [[nodiscard]] Guard {
   public:
    explicit Guard(Lock& lock) : lock_(lock) { lock_.acquire(); }

    Guard(Guard const&) = delete;
    Guard& operator=(Guard const&) = delete;

    ~Guard() { lock_.release(); }

   private:
    Lock& lock_;
  };

  // Acquires (a checkpoint) until the guard is destroyed.
  Guard guard() { return Guard(*this); }

 private:
  bool try_acquire();

  Task* owner_ = nullptr;
  lowlevel::ParkingLot lot_;
};

}  // namespace trio
