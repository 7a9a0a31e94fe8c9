// SPDX-License-Identifier: BSL-1.0
// A dialog in both directions: two linked tasks in two processes, and a stream between them.
#include <tractor/tractor.hpp>

#include <string>

#include <fmt/core.h>

// What the two say to each other: the compiler holds both to it.
struct PingPong {
  using Started = int;
  using ToCallee = std::string;
  using ToCaller = std::string;
};

int simple_rpc(tractor::Context<PingPong>& ctx, int data) {
  ctx.started(data + 1);  // the caller's body begins
  int count = 0;
  auto stream = ctx.open_stream();
  for (std::string message : stream) {  // until the caller closes its side
    stream.send("pong after " + message);
    ++count;
  }
  return count;
}

void amain() {
  tractor::open_nursery([](tractor::ActorNursery& nursery) {
    auto portal = nursery.start_actor("rpc_server", tractor::expose<simple_rpc>);

    portal.open_context<simple_rpc>(10, [](auto& ctx, int sent) {
      fmt::print("started with {}\n", sent);
      {
        auto stream = ctx.open_stream();
        for (int i = 0; i < 10; ++i) {
          stream.send(fmt::format("ping {}", i));
          fmt::print("{}\n", stream.receive());
        }
      }  // the stream closes here, which ends the loop over there
      fmt::print("it has counted {}\n", ctx.result());
    });

    portal.cancel_actor();
  });
}

int main() { return tractor::run(amain); }
