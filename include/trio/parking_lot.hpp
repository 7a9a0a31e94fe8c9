// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/detail/list.hpp>

#include <cstddef>
#include <exception>
#include <vector>

namespace trio {

class Task;

namespace lowlevel {

namespace detail_lot {
struct Tag;
struct Waiter;
}  // namespace detail_lot

// Mirrors trio.lowlevel.ParkingLotStatistics.
struct ParkingLotStatistics {
  std::size_t tasks_waiting = 0;
};

// A queue of parked tasks, first come, first woken: the fair base of every lock and channel. For
// one run's thread only: waking a task of another thread's run throws MisuseError and wakes nobody.
// Mirrors trio.lowlevel.ParkingLot.
class ParkingLot {
 public:
  ParkingLot() = default;
  ParkingLot(ParkingLot const&) = delete;
  ParkingLot& operator=(ParkingLot const&) = delete;
  // Tasks still parked are woken with BrokenResourceError.
  ~ParkingLot();

  // Parks the current task until it is unparked. A checkpoint. Throws BrokenResourceError if the
  // lot is or gets broken, MisuseError outside a task or if someone reschedules the task by hand.
  void park();
  // The same whatever is cancelled meanwhile, and if a SIGINT comes: the next checkpoint will tell.
  // For who must not go on before something has happened. No checkpoint, but lets others run.
  void park_uncancellable();

  // Wakes the task that waits longest; returns it, or null if none does. Not a checkpoint.
  Task* unpark_one();
  // Wakes the `count` tasks that wait longest, or as many as there are; returns them, in order. Not
  // a checkpoint.
  std::vector<Task*> unpark(std::size_t count);
  // Wakes everybody. Not a checkpoint.
  void unpark_all();

  // Moves the `count` tasks that wait longest, or as many as there are, to the end of the queue of
  // `other`, still parked where they called and as cancellable; if that one is broken, they are
  // woken with BrokenResourceError. Not a checkpoint.
  void repark(ParkingLot& other, std::size_t count = 1);
  // Moves everybody. Not a checkpoint.
  void repark_all(ParkingLot& other);

  // Everybody parked now or later gets BrokenResourceError: the task that was to wake them is gone.
  // Not a checkpoint.
  void break_lot();

  bool is_broken() const noexcept { return broken_; }

  // How many tasks are parked. Counts them.
  std::size_t size() const noexcept;

  bool empty() const noexcept { return waiters_.empty(); }

  // Mirrors ParkingLot.statistics.
  ParkingLotStatistics statistics() const noexcept { return {size()}; }

 private:
  friend struct detail_lot::Waiter;
  friend void add_parking_lot_breaker(Task& task, ParkingLot& lot);
  friend void remove_parking_lot_breaker(Task& task, ParkingLot& lot);

  void wait(bool cancellable);
  // Wakes the task that waits longest, with `error` if there is one; null if none waits.
  Task* wake_one(std::exception_ptr error);

  detail::List<detail_lot::Waiter, detail_lot::Tag> waiters_;
  bool broken_ = false;
  // Tasks whose end breaks the lot: they must not find it when it is gone.
  std::vector<Task*> breakers_;
};

// Breaks `lot`, if it is still there, when `task` ends: because nobody else can wake what is parked
// there. Not a checkpoint. Mirrors trio.lowlevel.add_parking_lot_breaker.
void add_parking_lot_breaker(Task& task, ParkingLot& lot);
// Undoes one add. Throws MisuseError if there was none. Not a checkpoint. Mirrors
// trio.lowlevel.remove_parking_lot_breaker.
void remove_parking_lot_breaker(Task& task, ParkingLot& lot);

}  // namespace lowlevel
}  // namespace trio
