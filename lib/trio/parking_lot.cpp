// SPDX-License-Identifier: BSL-1.0
#include "runner.hpp"

#include <trio/detail/is_parked.hpp>
#include <trio/detail/keep_frame.hpp>
#include <trio/errors.hpp>
#include <trio/parking_lot.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace trio::lowlevel {

namespace detail_lot {
// A parked task, on its own stack.
struct Waiter : detail::Hook<Tag> {
  explicit Waiter(Task& parked) : task(parked) {}

  Task& task;
  // By whoever it waits for: the lot may be gone when it goes on.
  bool woken = false;
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
  wait(true);
  detail::keep_frame();
}

void ParkingLot::park_uncancellable() {
  wait(false);
  detail::keep_frame();
}

void ParkingLot::wait(bool cancellable) {
  if (broken_) throw broken();
  detail_lot::Waiter waiter(current_task());
  waiters_.push_back(waiter);
  wait_task_rescheduled([&waiter, cancellable](RaiseCancel const&) {
    if (!cancellable) return Abort::failed;
    waiter.unlink();
    return Abort::succeeded;
  });
  if (!waiter.woken)
    throw MisuseError("trio: a task parked in a ParkingLot was rescheduled by hand");
}

Task* ParkingLot::unpark_one() { return wake_one(nullptr); }

std::vector<Task*> ParkingLot::unpark(std::size_t count) {
  std::vector<Task*> woken;
  while (woken.size() < count) {
    Task* const task = unpark_one();
    if (!task) break;
    woken.push_back(task);
  }
  return woken;
}

void ParkingLot::unpark_all() {
  while (unpark_one()) {}
}

void ParkingLot::repark(ParkingLot& other, std::size_t count) {
  // Moving to itself has an end too.
  for (count = std::min(count, size()); count > 0; --count) {
    auto* const waiter = detail::first_parked(waiters_);
    if (!waiter) break;
    waiter->unlink();
    other.waiters_.push_back(*waiter);
  }
  if (other.broken_) other.break_lot();
}

void ParkingLot::repark_all(ParkingLot& other) { repark(other, size()); }

void ParkingLot::break_lot() {
  broken_ = true;
  std::exception_ptr const error = std::make_exception_ptr(broken());
  while (wake_one(error)) {}
}

Task* ParkingLot::wake_one(std::exception_ptr error) {
  auto* const waiter = detail::first_parked(waiters_);
  if (!waiter) return nullptr;
  // Throws if it belongs to another run, which then keeps it.
  reschedule(waiter->task, std::move(error));
  waiter->woken = true;
  waiter->unlink();
  return &waiter->task;
}

std::size_t ParkingLot::size() const noexcept { return waiters_.size(); }

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
