// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace trio {

class Task;

namespace detail {
// Whether it waits still: not if somebody has rescheduled it already, perhaps by hand.
bool is_parked(Task const& task) noexcept;
}  // namespace detail

}  // namespace trio
