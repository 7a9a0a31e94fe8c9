// SPDX-License-Identifier: BSL-1.0
// expect: the main function of tractor::run takes no arguments
#include <tractor/tractor.hpp>

void amain(tractor::ActorNursery& nursery);

int main() { return tractor::run(amain); }
