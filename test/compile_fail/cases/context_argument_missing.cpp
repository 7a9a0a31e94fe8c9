// SPDX-License-Identifier: BSL-1.0
// expect: gives more or fewer arguments
#include "context.hpp"

void use(tractor::Portal portal) {
  portal.open_context<talk>([](auto&, int) {});
}
