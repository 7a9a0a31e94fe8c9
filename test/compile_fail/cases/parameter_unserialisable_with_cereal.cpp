// SPDX-License-Identifier: BSL-1.0
// expect: cannot be serialised
#include "portal.hpp"

#include <cereal/types/map.hpp>
#include <cereal/types/vector.hpp>

// cereal's own traits believe in a vector of anything.
struct Point {
  int x = 0;
};

int f(std::vector<Point> const& points);

int use(Portal portal) { return portal.run<f>(std::vector<Point>()); }
