// SPDX-License-Identifier: BSL-1.0
// Starts an actor, calls a function in it, and ends.
#include <tractor/tractor.hpp>

#include <unistd.h>

namespace {

int own_pid() { return getpid(); }

}  // namespace

int main() {
  return tractor::run([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto const actor = nursery.start_actor("only", tractor::expose<own_pid>);
      actor.run<own_pid>();
      actor.cancel_actor();
    });
  });
}
