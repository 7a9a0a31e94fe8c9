// SPDX-License-Identifier: BSL-1.0
// expect: cannot be serialised
#include "login.hpp"

struct Point {
  int x = 0;
};

struct Draw : Protocol<ToCallee<Point>> {};

Finished<Draw> serve(CalleeDialog<Draw> dialog) {
  auto [point, rest] = std::move(dialog).receive();
  return std::move(rest).finish();
}
