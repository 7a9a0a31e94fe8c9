// SPDX-License-Identifier: BSL-1.0
// expect: cannot be serialised
#include "portal.hpp"

// Only the compiler's note "required from" leads into Line: what a class serialises is known when
// it does.
struct Point {
  int x = 0;
};

struct Line {
  Point a;

  template <class Archive> void serialize(Archive& archive) { archive(a); }
};

tractor::Buffer use() { return tractor::encode(Line()); }
