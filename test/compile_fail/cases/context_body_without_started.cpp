// SPDX-License-Identifier: BSL-1.0
// expect: the body of open_context<f>\(arguments..., body\) comes last
#include "context.hpp"

void use(tractor::Portal portal) {
  portal.open_context<talk>(1, [](tractor::CallerContext<Talk, int>&) {});
}
