// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <cstddef>
#include <span>

namespace trio::detail {

// What is written down of a stack at most: its innermost frames.
inline constexpr std::size_t most_frames = 64;

// Walks of stacks, innermost frame first, down to where its task begins (or the thread, outside of
// tasks). Each writes, for each frame, an address inside the instruction that it executes: a call,
// or what a signal interrupted. Each returns how many it wrote, at most `into.size()`. They neither
// allocate nor lock nor throw, so signal handlers may call them, after warm_up_unwinder().

// Of the caller; the first frames are this function's own.
std::size_t walk_own_stack(std::span<void const*> into) noexcept;
// In a signal handler: of what the signal interrupted.
std::size_t walk_interrupted_stack(std::span<void const*> into) noexcept;
// Of a fiber that does not run; `context` is where Boost.Context has saved its registers. Nothing
// is switched or written.
std::size_t walk_parked_stack(void const* context, std::span<void const*> into) noexcept;

// Lets the unwinder do what it does only once, which may allocate.
void warm_up_unwinder() noexcept;

}  // namespace trio::detail
