// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/guard.hpp>
#include <trio/lock.hpp>
#include <trio/lowlevel.hpp>
#include <trio/parking_lot.hpp>

#include <concepts>
#include <cstddef>

namespace trio {

// Mirrors trio.ConditionStatistics.
struct ConditionStatistics {
  // Tasks that wait to be notified; those that were, and wait for the lock, are the lock's.
  std::size_t tasks_waiting = 0;
  LockStatistics lock_statistics = {};
};

// A lock, and a place to wait, while not holding it, until something that it guards has changed.
//
//   auto const held = condition.guard();
//   condition.wait([&] { return !queue.empty(); });
//
//   auto const held = condition.guard();
//   queue.push_back(item);
//   condition.notify();
//
// Between tasks of one thread nothing changes but where a task waits, and no lock is needed to look
// at two variables: try an Event, a Value or a channel first. This is for what must stay as it is
// across waits. For one run's thread only; a condition must outlive whoever waits in it. Mirrors
// trio.Condition.
class Condition {
 public:
  Condition() : lock_(own_lock_) {}

  // A condition of a lock that may have others, and must outlive it.
  explicit Condition(Lock& lock) noexcept : lock_(lock) {}

  Condition(Condition const&) = delete;
  Condition& operator=(Condition const&) = delete;

  // The lock's, with all it throws.
  void acquire() { lock_.acquire(); }

  void acquire_nowait() { lock_.acquire_nowait(); }

  void release() { lock_.release(); }

  bool locked() const noexcept { return lock_.locked(); }

  bool is_broken() const noexcept { return lock_.is_broken(); }

  // Holds the lock until the guard is destroyed.
  Guard<Condition> guard() { return Guard(*this); }

  // Gives up the lock, waits to be notified, and returns holding the lock again. A checkpoint.
  // Cancelled: throws Cancelled, holding the lock, and so perhaps later, once it was free. Throws
  // MisuseError if this task does not hold the lock, outside a task, or if someone reschedules the
  // task by hand; BrokenResourceError, without the lock, if whoever held it ended so after
  // this task was notified; who was not waits on for ever, as in trio: nobody can hold the lock any
  // more to notify it.
  void wait();

  // Waits until notified and `holds()` is true; returns at once if it already is, after a
  // checkpoint. `holds` is called with the lock held. Throws what wait() does.
  template <std::predicate Predicate> void wait(Predicate holds) {
    check_owner();
    if (holds()) return lowlevel::checkpoint();
    while (!holds()) wait();
  }

  // Has the task that waits longest, or the `count` that do, go on when it is their turn for the
  // lock. They join the lock's queue without waking in between. Not a checkpoint. Throws
  // MisuseError if this task does not hold the lock.
  void notify(std::size_t count = 1);
  // The same for everybody who waits.
  void notify_all();

  // Mirrors Condition.statistics. Counts the tasks that wait.
  ConditionStatistics statistics() const noexcept { return {lot_.size(), lock_.statistics()}; }

 private:
  void check_owner() const;

  Lock own_lock_;
  Lock& lock_;
  lowlevel::ParkingLot lot_;
};

}  // namespace trio
