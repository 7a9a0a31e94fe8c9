// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <cstddef>
#include <span>

namespace tractor::spawn {

// The descriptor at which a spawned process finds its specification: a sealed memfd, which says
// that the process was spawned as no argument or variable could, since those are inherited and
// copied on.
inline constexpr int specification_descriptor = 3;

// And the one at which it holds its lifeline: the reading end of a pipe whose other end only its
// parent has.
inline constexpr int lifeline_descriptor = 4;

// And the one at which it has the standard error of the root: its own may be a pipe that somebody
// has to read.
inline constexpr int tree_errors_descriptor = 5;
inline constexpr int last_fixed_descriptor = tree_errors_descriptor;

// Where this process finds the standard error of its root.
int tree_errors() noexcept;

// A sealed memfd with `specification` in it; closed on exec. Throws SpawnError.
int make_specification_descriptor(std::span<std::byte const> specification);

// Whether this process was spawned by an actor. Found out before main, so that nothing main starts
// can inherit the descriptor.
bool was_spawned() noexcept;

// What it was given; empty if it was not spawned. The bytes stay valid.
std::span<std::byte const> inherited_specification() noexcept;

}  // namespace tractor::spawn
