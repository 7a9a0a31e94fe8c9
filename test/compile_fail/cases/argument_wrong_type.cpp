// SPDX-License-Identifier: BSL-1.0
// expect: does not convert to the function's parameter
#include "portal.hpp"

int add(int a, int b);

int use(Portal portal) { return portal.run<add>(1, "2"); }
