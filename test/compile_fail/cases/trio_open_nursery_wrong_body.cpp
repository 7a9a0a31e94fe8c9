// SPDX-License-Identifier: BSL-1.0
// expect: takes a trio::Nursery
#include <tractor/tractor.hpp>

void use() {
  trio::open_nursery([](int) {});
}
