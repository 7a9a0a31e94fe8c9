// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <cstdint>

namespace trio::lowlevel {

// Waits until reading from the descriptor `fd` would not block (or it failed or was hung up). A
// checkpoint. Throws BusyResourceError if another task already waits to read it,
// ClosedResourceError if notify_closing is called meanwhile, std::system_error if it cannot be
// watched (a regular file), MisuseError outside a task or if someone reschedules the task by hand.
// Mirrors trio.lowlevel.wait_readable.
void wait_readable(int fd);

// The same for writing. Mirrors trio.lowlevel.wait_writable.
void wait_writable(int fd);

// Call before closing `fd`: wakes who waits for it with ClosedResourceError. Not a checkpoint. On
// the run's thread only; outside a run nobody waits, and it does nothing, so that a socket may
// outlive its run. Mirrors trio.lowlevel.notify_closing.
void notify_closing(int fd);

// Wakes who waits to read `fd` as if it had become readable; for descriptors that only hint at
// readiness, like ZeroMQ's, whose event another task may have consumed. Not a checkpoint. Throws
// MisuseError outside a run.
void notify_readable(int fd);

// The same, but only when the run looks for input next: when no task is ready, or soon. So who is
// woken by many calls is woken once. Costs next to nothing.
void notify_readable_soon(int fd);

// How often the run has looked for input so far. Not a checkpoint. Throws MisuseError outside a
// run.
std::uint64_t looks_for_input();

}  // namespace trio::lowlevel
