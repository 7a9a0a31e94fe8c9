// SPDX-License-Identifier: BSL-1.0
#include <trio/condition.hpp>
#include <trio/errors.hpp>
#include <trio/lowlevel.hpp>

#include <exception>
#include <utility>

namespace trio {

void Condition::check_owner() const {
  if (lock_.owner() != &lowlevel::current_task())
    throw MisuseError("trio: this task does not hold the lock of the condition");
}

void Condition::wait() {
  check_owner();
  lock_.release();
  std::exception_ptr error;
  try {
    // Parks here and wakes in the lock's lot, where notify() has moved it: as the owner.
    return lot_.park();
  } catch (...) {
    error = std::current_exception();
  }
  lock_.acquire_uncancellable();
  std::rethrow_exception(std::move(error));
}

void Condition::notify(std::size_t count) {
  check_owner();
  lot_.repark(lock_.lot_, count);
}

void Condition::notify_all() {
  check_owner();
  lot_.repark_all(lock_.lot_);
}

}  // namespace trio
