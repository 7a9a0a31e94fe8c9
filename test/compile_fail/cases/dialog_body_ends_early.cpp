// SPDX-License-Identifier: BSL-1.0
// expect: returns what finish.. gives at its end
#include "login.hpp"

Finished<Login> serve(CalleeDialog<Login> dialog);

void use(tractor::Portal portal) {
  portal.open_dialog<serve>([](auto dialog) { return std::move(dialog).send(Credentials{}); });
}
