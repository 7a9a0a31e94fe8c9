// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace trio::detail {

// Has a Cancelled or Interrupted that ends the process say why it did: what C++ says by itself
// names neither the task nor the mistake. Installed once a process, for good, in front of the
// handler that it finds.
void report_terminations();

}  // namespace trio::detail
