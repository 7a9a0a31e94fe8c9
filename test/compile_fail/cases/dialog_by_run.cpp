// SPDX-License-Identifier: BSL-1.0
// expect: use portal.open_dialog<f>
#include "login.hpp"

Finished<Login, int> serve(CalleeDialog<Login> dialog);

int use(tractor::Portal portal) { return portal.run<serve>(); }
