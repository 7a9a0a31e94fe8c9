// SPDX-License-Identifier: BSL-1.0
// expect: default arguments do not count
#include "portal.hpp"

int add(int a, int b = 2);

int use(Portal portal) { return portal.run<add>(1); }
