// SPDX-License-Identifier: BSL-1.0
// expect: cannot be serialised
#include "portal.hpp"

struct Point {
  int x = 0;
};

int f(Point const& point);

int use(Portal portal) { return portal.run<f>(Point{1}); }
