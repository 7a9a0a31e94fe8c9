// SPDX-License-Identifier: BSL-1.0
// expect: more or fewer arguments
#include "login.hpp"

Finished<Login> serve(CalleeDialog<Login> dialog, int number);

Finished<Login> client(CallerDialog<Login> dialog);

void use(tractor::Portal portal) { portal.open_dialog<serve>(client); }
