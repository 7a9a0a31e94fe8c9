// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/parking_lot.hpp>

#include <cstddef>

namespace trio {

// Mirrors trio.EventStatistics.
struct EventStatistics {
  std::size_t tasks_waiting = 0;
};

// Something that happens once, and that any number of tasks may wait for. There is no clear(): make
// a new Event for a new happening. For one run's thread only: from another thread, have set()
// called by TrioToken::run_sync_soon. Mirrors trio.Event.
class Event {
 public:
  // Wakes everybody who waits, now and later. Idempotent; not a checkpoint. Throws MisuseError, and
  // sets nothing, if tasks wait that belong to another thread's run.
  void set() {
    lot_.unpark_all();
    is_set_ = true;
  }

  bool is_set() const noexcept { return is_set_; }

  // Waits until set; a checkpoint even if it already is. Throws MisuseError outside a task or if
  // someone reschedules the task by hand, BrokenResourceError if the event is destroyed meanwhile.
  void wait();

  // How many tasks wait.
  std::size_t tasks_waiting() const noexcept { return lot_.size(); }

  // Mirrors Event.statistics.
  EventStatistics statistics() const noexcept { return {tasks_waiting()}; }

 private:
  bool is_set_ = false;
  lowlevel::ParkingLot lot_;
};

}  // namespace trio
