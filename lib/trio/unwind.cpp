// SPDX-License-Identifier: BSL-1.0
#include "unwind.hpp"

#include <array>

#include <unwind.h>

extern "C" {
// In guard.S: what is on the stack while a task's function runs.
extern char const trio_guarded_task_return[];
// In parked_frame.S: walks the stack of the fiber whose registers are saved at `context`.
int trio_walk_parked(void const* context, _Unwind_Trace_Fn visit, void* argument);
}

namespace trio::detail {

namespace {

struct Walk {
  std::span<void const*> into;
  std::size_t count = 0;
  // Frames to leave out first.
  std::size_t skipped = 0;
  // Then all until the first one that was interrupted instead of having made a call.
  bool from_interrupted = false;
};

_Unwind_Reason_Code visit(_Unwind_Context* context, void* argument) {
  auto& walk = *static_cast<Walk*>(argument);
  int interrupted = 0;
  _Unwind_Ptr const address = _Unwind_GetIPInfo(context, &interrupted);
  if (address == 0) return _URC_END_OF_STACK;
  if (address == reinterpret_cast<_Unwind_Ptr>(trio_guarded_task_return)) return _URC_END_OF_STACK;
  if (walk.skipped > 0) {
    --walk.skipped;
    return _URC_NO_REASON;
  }
  if (walk.from_interrupted && !interrupted) return _URC_NO_REASON;
  walk.from_interrupted = false;
  if (walk.count == walk.into.size()) return _URC_END_OF_STACK;
  walk.into[walk.count++] = reinterpret_cast<void const*>(interrupted ? address : address - 1);
  return _URC_NO_REASON;
}

}  // namespace

std::size_t walk_own_stack(std::span<void const*> into) noexcept {
  Walk walk{into};
  _Unwind_Backtrace(visit, &walk);
  return walk.count;
}

std::size_t walk_interrupted_stack(std::span<void const*> into) noexcept {
  Walk walk{into};
  walk.from_interrupted = true;
  _Unwind_Backtrace(visit, &walk);
  return walk.count;
}

std::size_t walk_parked_stack(void const* context, std::span<void const*> into) noexcept {
  Walk walk{into};
  // The frame that pretends to have been called by the fiber.
  walk.skipped = 1;
  trio_walk_parked(context, visit, &walk);
  return walk.count;
}

void warm_up_unwinder() noexcept {
  std::array<void const*, 4> frames{};
  walk_own_stack(frames);
}

}  // namespace trio::detail
