// SPDX-License-Identifier: BSL-1.0
// expect: the body of open_dialog<f>.* comes last
#include "login.hpp"

Finished<Login> serve(CalleeDialog<Login> dialog, int number);

void use(tractor::Portal portal) { portal.open_dialog<serve>(1, 2); }
