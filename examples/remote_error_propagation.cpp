// SPDX-License-Identifier: BSL-1.0
// One actor fails, and takes all others of its nursery with it.
#include <tractor/tractor.hpp>

#include <stdexcept>

#include <fmt/core.h>

void assert_err() { throw std::runtime_error("assert 0"); }

void amain() {
  trio::catching(
      [] {
        tractor::open_nursery([](tractor::ActorNursery& nursery) {
          for (int i = 0; i < 3; ++i)
            nursery.start_actor(fmt::format("actor_{}", i), tractor::Exposed());

          // Fails at once, remotely: the three daemons are cancelled.
          nursery.run_in_actor<assert_err>({.name = "extra"});
        });
      },
      [](tractor::RemoteActorError const& error) {
        fmt::print("Look Maa that actor failed hard, hehhh\n");
        // The error, its actor, and the stack of its throw.
        fmt::print("{}", error.report());
      });
}

int main() { return tractor::run(amain); }
