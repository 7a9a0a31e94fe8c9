// SPDX-License-Identifier: BSL-1.0
// expect: does not convert to the function.s parameter
#include "context.hpp"

void use(tractor::Portal portal) {
  portal.open_context<talk>("1", [](auto&, int) {});
}
