// SPDX-License-Identifier: BSL-1.0
// expect: the function is a template argument
#include <tractor/tractor.hpp>

int add(int a, int b);

void use(tractor::Portal portal) { portal.run(add, 1, 2); }
