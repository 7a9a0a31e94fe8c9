// SPDX-License-Identifier: BSL-1.0
// expect: a pointer.* cannot be sent
#include "portal.hpp"

int sum(std::vector<int*> values);

int use(Portal portal) { return portal.run<sum>(std::vector<int*>()); }
