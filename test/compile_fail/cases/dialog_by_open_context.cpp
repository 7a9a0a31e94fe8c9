// SPDX-License-Identifier: BSL-1.0
// expect: use portal.open_dialog<f>
#include "login.hpp"

Finished<Login> serve(CalleeDialog<Login> dialog);

void use(tractor::Portal portal) {
  portal.open_context<serve>([](auto& ctx) { ctx.open_stream(); });
}
