// SPDX-License-Identifier: BSL-1.0
// expect: does not convert to the function's parameter
#include "portal.hpp"

double sum(std::span<double const> values);

double use(Portal portal) { return portal.run<sum>(std::vector<int>{1, 2}); }
