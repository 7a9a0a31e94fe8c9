// SPDX-License-Identifier: BSL-1.0
// expect: named in an expose
#include <tractor/tractor.hpp>

int add(int a, int b);

void use(tractor::ActorNursery& nursery) { nursery.start_actor("adder", add); }
