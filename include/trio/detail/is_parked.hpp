// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/detail/list.hpp>

namespace trio {

class Task;

namespace detail {

// Whether it waits still: not if somebody has rescheduled it already, perhaps by hand.
bool is_parked(Task const& task) noexcept;

// Of those who wait in a list, each with its `task`, who does so longest; null if nobody does. Not
// who was rescheduled by hand: that one will find out by itself.
template <class Waiter, class Tag> Waiter* first_parked(List<Waiter, Tag> const& waiters) noexcept {
  Waiter* waiter = waiters.next(nullptr);
  while (waiter && !is_parked(waiter->task)) waiter = waiters.next(waiter);
  return waiter;
}

}  // namespace detail

}  // namespace trio
