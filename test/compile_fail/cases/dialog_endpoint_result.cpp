// SPDX-License-Identifier: BSL-1.0
// expect: cannot be serialised
#include "login.hpp"

struct Point {
  int x = 0;
};

Finished<Login, Point> serve(CalleeDialog<Login> dialog);

tractor::Exposed use() { return tractor::expose<serve>; }
