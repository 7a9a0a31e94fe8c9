// SPDX-License-Identifier: BSL-1.0
// expect: span over what it may change
#include "portal.hpp"

void clear(std::span<int> values);

void use(Portal portal, std::vector<int>& values) { portal.run<clear>(values); }
