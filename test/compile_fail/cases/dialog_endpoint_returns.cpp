// SPDX-License-Identifier: BSL-1.0
// expect: must return Finished<P>
#include "login.hpp"

int serve(CalleeDialog<Login> dialog);

tractor::Exposed use() { return tractor::expose<serve>; }
