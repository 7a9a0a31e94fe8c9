// SPDX-License-Identifier: BSL-1.0
// expect: does not convert to the function's parameter
#include <tractor/tractor.hpp>

int add(int a, int b) { return a + b; }

void use(tractor::ActorNursery& nursery) { nursery.run_in_actor<add>(1, "2"); }
