// SPDX-License-Identifier: BSL-1.0
// expect: this cannot be called remotely
#include "portal.hpp"

int print(char const* format, ...);

void use(Portal portal) { portal.run<print>("%d", 1); }
