// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/parking_lot.hpp>

#include <cstddef>

namespace trio {

// Something that happens once, and that any number of tasks may wait for. There is no clear(): make
// a new Event for a new happening. Mirrors trio.Event.
class Event {
 public:
  // Wakes everybody who waits, now and later. Idempotent; not a checkpoint.
  void set() {
    is_set_ = true;
    lot_.unpark_all();
  }

  bool is_set() const noexcept { return is_set_; }

  // Waits until set; a checkpoint even if it already is.
  void wait();

  // How many tasks wait. Mirrors Event.statistics.
  std::size_t tasks_waiting() const noexcept { return lot_.size(); }

 private:
  bool is_set_ = false;
  lowlevel::ParkingLot lot_;
};

}  // namespace trio
