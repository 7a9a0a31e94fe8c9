// SPDX-License-Identifier: BSL-1.0
// expect: cannot be received: give it
#include "portal.hpp"

struct Point {
  explicit Point(int x_) : x(x_) {}

  int x;

  template <class Archive> void serialize(Archive& archive) { archive(x); }
};

int use() { return tractor::decode<Point>(std::span<std::byte const>()).x; }
