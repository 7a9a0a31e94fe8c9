// SPDX-License-Identifier: BSL-1.0
// Starts an actor, calls a function in it, and ends. With an argument: over TCP.
#include <tractor/tractor.hpp>

#include <unistd.h>

namespace {

int own_pid() { return getpid(); }

}  // namespace

int main(int argc, char**) {
  auto const kind = argc > 1 ? tractor::TransportKind::tcp : tractor::TransportKind::ipc;
  auto const call_it = [] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto const actor = nursery.start_actor("only", tractor::expose<own_pid>);
      actor.run<own_pid>();
      actor.cancel_actor();
    });
  };
  return tractor::run(call_it, {.transport = kind});
}
