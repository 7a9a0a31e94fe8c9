// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/context.hpp>
#include <tractor/portal.hpp>

// For testing what becomes of actors when things break.
namespace tractor::testing {

// Ends the link with an actor here and now, without a word of farewell: what waits for it at this
// end throws TransportClosed, and the other end notices by itself. The actor ends then, if it is a
// child, and its nursery throws ActorDied. Not a checkpoint. Mirrors tractor's break_ipc.
void break_link(Portal const& portal);
void break_link(ContextBase const& context);

}  // namespace tractor::testing
