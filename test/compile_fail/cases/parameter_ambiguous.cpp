// SPDX-License-Identifier: BSL-1.0
// expect: several ways to be serialised
#include "portal.hpp"

struct Point {
  int x = 0;

  template <class Archive> void serialize(Archive& archive) { archive(x); }

  template <class Archive> void save(Archive& archive) const { archive(x); }

  template <class Archive> void load(Archive& archive) { archive(x); }
};

int f(Point point);

int use(Portal portal) { return portal.run<f>(Point()); }
