// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <exception>
#include <memory>
#include <type_traits>

// Both call `call(argument)`, from a frame of lib/trio/guard.S: an exception that nobody below it
// catches has its stack remembered there (see throw_site.hpp), while it still stands. Nothing else
// happens to it. 2 ns.
extern "C" {
void trio_guarded_call(void (*call)(void*), void* argument);
// The same, and the end of what a stack trace of a task shows.
void trio_guarded_task(void (*call)(void*), void* argument);
}

namespace trio::detail {

// Calls `fn()` and returns what it throws, if it does. Every place where the library catches
// whatever user code throws is one of these, so that no error loses its stack.
template <auto Frame = trio_guarded_call, class F> std::exception_ptr caught_from(F&& fn) noexcept {
  using Function = std::remove_reference_t<F>;
  try {
    Frame([](void* function) { (*static_cast<Function*>(function))(); },
          const_cast<void*>(static_cast<void const*>(std::addressof(fn))));
  } catch (...) {
    return std::current_exception();
  }
  return nullptr;
}

}  // namespace trio::detail
