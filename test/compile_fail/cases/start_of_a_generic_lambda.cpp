// SPDX-License-Identifier: BSL-1.0
// expect: cannot see fn's parameters
#include <tractor/tractor.hpp>

void use(trio::Nursery& nursery) {
  nursery.start([](auto& status) { status.started(1); });
}
