// SPDX-License-Identifier: BSL-1.0
// expect: takes no context as its first parameter
#include "context.hpp"

void use(tractor::Portal portal) {
  portal.open_context<add>(1, 2, [](auto&) {});
}
