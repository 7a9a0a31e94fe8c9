// SPDX-License-Identifier: BSL-1.0
#include <trio/detail/keep_frame.hpp>
#include <trio/errors.hpp>
#include <trio/lowlevel.hpp>
#include <trio/semaphore.hpp>

#include <stdexcept>

namespace trio {

Semaphore::Semaphore(std::size_t initial_value, std::size_t max_value)
    : value_(initial_value), max_value_(max_value) {
  if (initial_value > max_value)
    throw std::invalid_argument("trio: a semaphore's initial value is above its maximum");
}

bool Semaphore::try_acquire() noexcept {
  if (value_ == 0) return false;
  --value_;
  return true;
}

void Semaphore::acquire_nowait() {
  if (!try_acquire()) throw WouldBlock();
}

void Semaphore::acquire() {
  lowlevel::checkpoint_if_cancelled();
  if (try_acquire())
    lowlevel::cancel_shielded_checkpoint();
  else
    lot_.park();
  detail::keep_frame();
}

void Semaphore::release() {
  if (lot_.unpark_one()) return;
  if (value_ == max_value_)
    throw MisuseError("trio: this semaphore was released more often than it was acquired");
  ++value_;
}

}  // namespace trio
