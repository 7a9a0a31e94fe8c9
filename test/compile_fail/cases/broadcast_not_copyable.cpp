// SPDX-License-Identifier: BSL-1.0
// expect: a broadcast copies each value to each receiver
#include <trio/broadcast.hpp>

#include <memory>

using Receiver = trio::MemoryReceiveChannel<std::unique_ptr<int>>;

trio::BroadcastReceiver<Receiver>* never_used = nullptr;

void never_called() { never_used->close(); }
