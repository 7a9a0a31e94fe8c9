// SPDX-License-Identifier: BSL-1.0
// An actor that serves calls until somebody cancels it.
#include <tractor/tractor.hpp>

#include <string>

#include <fmt/core.h>

std::string movie_theatre_question() { return "have you ever seen a portal?"; }

void amain() {
  tractor::open_nursery([](tractor::ActorNursery& nursery) {
    // Runs nothing but this function, and only when asked to.
    auto portal = nursery.start_actor("frank", tractor::expose<movie_theatre_question>);

    fmt::print("{}\n", portal.run<movie_theatre_question>());
    fmt::print("{}\n", portal.run<movie_theatre_question>());

    // Without this the block would wait for frank for ever.
    portal.cancel_actor();
  });
}

int main() { return tractor::run(amain); }
