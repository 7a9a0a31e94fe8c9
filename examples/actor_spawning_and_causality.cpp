// SPDX-License-Identifier: BSL-1.0
// An actor that runs one function and ends: its result outlives it.
#include <tractor/tractor.hpp>

#include <string>

#include <fmt/core.h>

std::string cellar_door() {
  if (tractor::is_root_process()) throw std::logic_error("this runs in a child only");
  return "Dang that's beautiful";
}

void amain() {
  auto portal = tractor::open_nursery([](tractor::ActorNursery& nursery) {
    return nursery.run_in_actor<cellar_door>({.name = "some_linguist"});
  });  // waits for the actor, and for its process to be gone

  fmt::print("{}\n", portal.result());
}

int main() { return tractor::run(amain); }
