// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "spawner.hpp"

namespace tractor::spawn {

// Starts processes on this host by executing a program: never fork and run on, which would copy
// half a runtime. A child dies with the thread that calls spawn() (PR_SET_PDEATHSIG), so that
// thread must outlive its children: the run's thread does, as it reaps them.
std::unique_ptr<Spawner> make_exec_spawner();

}  // namespace tractor::spawn
