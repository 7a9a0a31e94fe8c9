// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "fiber.hpp"

#include <utility>

#include <boost/fiber/context.hpp>

namespace trio::detail {

// The two switches, for whoever calls them to inline: the processor predicts returns by the calls
// that it has seen on the other stack, so after a switch each function on the way out costs it
// 10 ns, unless the other stack went the same way. Between the loop or a checkpoint and the switch
// there should be none but Boost's.

[[gnu::always_inline]] inline void Switcher::step(Fiber& fiber) noexcept {
  ExceptionState const saved = std::exchange(*exceptions_, {});
  running_ = &fiber;
  sanitizer::leave(loop_side_, fiber.side);
  fiber.context->resume();
  sanitizer::arrive(loop_side_);
  if (exiting_) continue_as_main(*exiting_);
  *exceptions_ = saved;
}

[[gnu::always_inline]] inline void Switcher::park(Fiber& fiber, Fiber* next) noexcept {
  if (fiber.stack.canary && canary_is_broken(fiber.stack)) end_by_overflow(fiber);
  ExceptionState const saved = std::exchange(*exceptions_, {});
  int const error = *errno_;
  running_ = next;
  sanitizer::leave(fiber.side, next ? next->side : loop_side_);
  (next ? next->context : loop_)->resume();
  sanitizer::arrive(fiber.side);
  *errno_ = error;
  *exceptions_ = saved;
}

}  // namespace trio::detail
