// SPDX-License-Identifier: BSL-1.0
// expect: this cannot be called remotely
#include "portal.hpp"

void use(Portal portal) {
  portal.run<[](auto value) { return value; }>(1);
}
