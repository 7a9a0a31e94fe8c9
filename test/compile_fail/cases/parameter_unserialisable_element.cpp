// SPDX-License-Identifier: BSL-1.0
// expect: cannot be serialised
#include "portal.hpp"

struct Point {
  int x = 0;
};

int f(std::map<std::string, std::vector<Point>> const& points);

int use(Portal portal) { return portal.run<f>(std::map<std::string, std::vector<Point>>()); }
