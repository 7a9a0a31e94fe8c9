// SPDX-License-Identifier: BSL-1.0
// expect: a length of time has a unit
#include <tractor/tractor.hpp>

void work() {}

void start(tractor::ActorNursery& nursery) {
  nursery.start_actor({.name = "hasty", .cancel_timeout = 5}, tractor::expose<work>);
}
