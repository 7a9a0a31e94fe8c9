// SPDX-License-Identifier: BSL-1.0
#include <tractor/tractor.hpp>

#include <cstdlib>

int add(int left, int right) { return left + right; }

void amain() {
  int sum = 0;
  tractor::open_nursery([&](tractor::ActorNursery& nursery) {
    auto portal = nursery.start_actor("adder", tractor::expose<add>);
    sum = portal.run<add>(1, 2);
    portal.cancel_actor();
  });
  if (sum != 3) std::exit(1);
}

int main() { return tractor::run(amain); }
