// SPDX-License-Identifier: BSL-1.0
// expect: cannot be serialised
#include "portal.hpp"

struct Point {
  int x = 0;
};

tractor::Buffer use() { return tractor::encode(Point{1}); }
