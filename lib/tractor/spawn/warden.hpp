// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "spawner.hpp"

#include <memory>
#include <string>

namespace tractor::spawn {

// Starts a process that waits until this one has ended, in whatever way, and then kills whatever is
// left of the tree `tree_id`: helpers that actors have started, which no death signal reaches. It
// is to be killed when the tree has ended in good order. Throws SpawnError. Not a checkpoint.
std::unique_ptr<Process> start_warden(Spawner& spawner, std::string const& tree_id);

}  // namespace tractor::spawn
