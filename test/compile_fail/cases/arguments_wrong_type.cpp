// SPDX-License-Identifier: BSL-1.0
// expect: does not convert to the function's parameter
#include "portal.hpp"

// Two arguments are wrong: the first is enough to say so.
int join(std::string a, std::string b);

int use(Portal portal) { return portal.run<join>(1, 2); }
