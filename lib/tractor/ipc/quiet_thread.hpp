// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <functional>
#include <thread>

namespace tractor::ipc {

// A thread beside the scheduler's, on which no signal is handled: none is to be on a thread that
// nobody knows of. Throws std::system_error if there can be none.
std::thread quiet_thread(std::function<void()> body);

}  // namespace tractor::ipc
