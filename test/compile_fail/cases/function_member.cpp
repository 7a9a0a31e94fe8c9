// SPDX-License-Identifier: BSL-1.0
// expect: a member function cannot be called remotely
#include "portal.hpp"

struct Counter {
  int next(int step);
};

int use(Portal portal) { return portal.run<&Counter::next>(1); }
