// SPDX-License-Identifier: BSL-1.0
// expect: this type cannot be serialised
#include "context.hpp"

struct Opaque {
  int x;
};

struct Bad {
  using ToCallee = Opaque;
};

void bad(tractor::Context<Bad>& ctx);

auto use() { return tractor::expose<bad>; }
