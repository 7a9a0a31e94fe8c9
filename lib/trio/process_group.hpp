// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <sys/types.h>

namespace trio::detail {

// Waits until no process of the group `leader` lives any more, that process itself not counted. It
// must not have been reaped, so that the number is its own. Knows what /proc shows: nothing where
// there is none. A checkpoint if it waits.
void wait_for_rest_of_group(pid_t leader);

}  // namespace trio::detail
