// SPDX-License-Identifier: BSL-1.0
#include "runner.hpp"

#include <trio/errors.hpp>
#include <trio/parking_lot.hpp>

#include <algorithm>
#include <exception>

namespace trio::lowlevel {

namespace detail_lot {
// A parked task, on its own stack.
struct Waiter : detail::Hook<Tag> {
  explicit Waiter(Task& parked) : task(parked) {}

  Task& task;
};
}  // namespace detail_lot

namespace {

BrokenResourceError broken() {
  return BrokenResourceError(
      "trio: the task that was to wake the ones waiting here has ended without doing so");
}

}  // namespace

ParkingLot::~ParkingLot() {
  while (!breakers_.empty()) remove_parking_lot_breaker(*breakers_.back(), *this);
  if (!empty()) break_lot();
}

void ParkingLot::park() {
  if (broken_) throw broken();
  detail_lot::Waiter waiter(current_task());
  waiters_.push_back(waiter);
  ++size_;
  wait_task_rescheduled([this, &waiter](RaiseCancel const&) {
    waiter.unlink();
    --size_;
    return Abort::succeeded;
  });
}

Task* ParkingLot::unpark_one() {
  if (empty()) return nullptr;
  --size_;
  Task& task = waiters_.pop_front().task;
  reschedule(task);
  return &task;
}

void ParkingLot::unpark_all() {
  while (unpark_one()) {}
}

void ParkingLot::break_lot() {
  broken_ = true;
  while (!empty()) {
    --size_;
    reschedule(waiters_.pop_front().task, std::make_exception_ptr(broken()));
  }
}

void add_parking_lot_breaker(Task& task, ParkingLot& lot) {
  static_cast<detail::TaskRecord&>(task).breakers.push_back(&lot);
  lot.breakers_.push_back(&task);
}

void remove_parking_lot_breaker(Task& task, ParkingLot& lot) {
  auto& breakers = static_cast<detail::TaskRecord&>(task).breakers;
  auto const found = std::find(breakers.begin(), breakers.end(), &lot);
  if (found == breakers.end())
    throw MisuseError("trio: this task is not a breaker of this parking lot");
  breakers.erase(found);
  lot.breakers_.erase(std::find(lot.breakers_.begin(), lot.breakers_.end(), &task));
}

}  // namespace trio::lowlevel
