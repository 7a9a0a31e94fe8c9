// SPDX-License-Identifier: BSL-1.0
// expect: gives more or fewer arguments
#include <tractor/tractor.hpp>

int add(int a, int b) { return a + b; }

void use(tractor::ActorNursery& nursery) { nursery.run_in_actor<add>({.name = "adder"}, 1); }
