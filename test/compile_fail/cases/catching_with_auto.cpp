// SPDX-License-Identifier: BSL-1.0
// expect: a handler is a lambda or function object
#include <tractor/tractor.hpp>

void use() {
  trio::catching([] {}, [](auto const&) {});
}
