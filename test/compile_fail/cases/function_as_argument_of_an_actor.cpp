// SPDX-License-Identifier: BSL-1.0
// expect: the function is a template argument
#include <tractor/tractor.hpp>

void use(tractor::ActorNursery& nursery) {
  nursery.run_in_actor([] {});
}
