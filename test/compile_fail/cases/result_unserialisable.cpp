// SPDX-License-Identifier: BSL-1.0
// expect: cannot be serialised
#include "portal.hpp"

struct Point {
  int x = 0;
};

std::optional<Point> find(int key);

int use(Portal portal) { return portal.run<find>(1)->x; }
