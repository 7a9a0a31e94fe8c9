// SPDX-License-Identifier: BSL-1.0
#include <trio/detail/keep_frame.hpp>
#include <trio/errors.hpp>
#include <trio/lock.hpp>
#include <trio/lowlevel.hpp>

namespace trio {

bool Lock::try_acquire() {
  Task& task = lowlevel::current_task();
  if (lot_.is_broken())
    throw BrokenResourceError("trio: the task that held the lock ended without releasing it");
  if (owner_ == &task) throw MisuseError("trio: this task holds the lock already");
  if (owner_) return false;
  owner_ = &task;
  lowlevel::add_parking_lot_breaker(task, lot_);
  return true;
}

void Lock::acquire_nowait() {
  if (!try_acquire()) throw WouldBlock();
}

void Lock::acquire() {
  lowlevel::checkpoint_if_cancelled();
  if (try_acquire())
    lowlevel::cancel_shielded_checkpoint();
  else
    lot_.park();
  detail::keep_frame();
}

void Lock::acquire_uncancellable() {
  if (!try_acquire()) lot_.park_uncancellable();
}

void Lock::release() {
  Task& task = lowlevel::current_task();
  if (owner() != &task) throw MisuseError("trio: this task does not hold the lock it releases");
  lowlevel::remove_parking_lot_breaker(task, lot_);
  owner_ = lot_.unpark_one();
  if (owner_) lowlevel::add_parking_lot_breaker(*owner_, lot_);
}

}  // namespace trio
