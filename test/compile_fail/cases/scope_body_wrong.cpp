// SPDX-License-Identifier: BSL-1.0
// expect: takes nothing or a CancelScope
#include <tractor/tractor.hpp>

void use() {
  static_cast<void>(trio::move_on_after(std::chrono::seconds(1), [](int) {}));
}
