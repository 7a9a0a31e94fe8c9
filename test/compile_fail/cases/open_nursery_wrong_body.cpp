// SPDX-License-Identifier: BSL-1.0
// expect: takes a tractor::ActorNursery
#include <tractor/tractor.hpp>

void use() {
  tractor::open_nursery([](int) {});
}
