// SPDX-License-Identifier: BSL-1.0
// expect: more or fewer arguments
#include "portal.hpp"

int add(int a, int b);

int use(Portal portal) { return portal.run<add>(1, 2, 3); }
