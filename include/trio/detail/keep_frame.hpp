// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace trio::detail {

// The end of a public function that waits. A function that ends in a call is not on the stack
// during that call, and a task tree could not tell what its user waits in. Costs a return, which
// the processor mispredicts after a switch of stacks, 10 ns; so not for what only passes a
// checkpoint.
inline void keep_frame() noexcept { asm volatile(""); }

}  // namespace trio::detail
