// SPDX-License-Identifier: BSL-1.0
// expect: takes no context and no dialog
#include "login.hpp"

int add(int a, int b);

void use(tractor::Portal portal) {
  portal.open_dialog<add>(1, 2, [](auto dialog) { return std::move(dialog).finish(); });
}
