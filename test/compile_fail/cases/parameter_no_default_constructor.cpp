// SPDX-License-Identifier: BSL-1.0
// expect: cannot be received: give it.* a default constructor
#include "portal.hpp"

struct Point {
  explicit Point(int x_) : x(x_) {}

  int x;

  template <class Archive> void serialize(Archive& archive) { archive(x); }
};

int f(std::vector<Point> points);

int use(Portal portal) { return portal.run<f>(std::vector<Point>()); }
