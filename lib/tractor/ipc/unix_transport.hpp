// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "transport.hpp"

#include <memory>

namespace tractor::ipc {

// A transport over Unix sockets, which the run itself reads and writes: no other thread has a part
// in it. Each link is one connection. Who connects is let in as soon as the scheduler at the other
// end comes to it, and waits for that as long as the process there lives. Closed links linger by
// tasks of the service nursery, which cancelling it does not end: it ends that much later.
std::unique_ptr<Transport> make_unix_transport(trio::Nursery& service, TransportOptions options);

}  // namespace tractor::ipc
