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

  // Wakes the task that waits longest; returns it, or null if none does. Not a checkpoint.
  Task* unpark_one();
  // Wakes everybody. Not a checkpoint.
  void unpark_all();

  // Everybody parked now or later gets BrokenResourceError: the task that was to wake them is gone.
  // Not a checkpoint.
  void break_lot();

  bool is_broken() const noexcept { return broken_; }

  // How many tasks are parked. Counts them.
  std::size_t size() const noexcept;

  bool empty() const noexcept { return waiters_.empty(); }

 private:
  friend struct detail_lot::Waiter;
  friend void add_parking_lot_breaker(Task& task, ParkingLot& lot);
  friend void remove_parking_lot_breaker(Task& task, ParkingLot& lot);

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
