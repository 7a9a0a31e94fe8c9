// SPDX-License-Identifier: BSL-1.0
// The link breaks in the middle of a stream, at either end: nobody waits for what will never come,
// nobody takes half for all, and no process is left.
#include <tractor/testing.hpp>
#include <tractor/tractor.hpp>

#include <stdexcept>
#include <string>

#include <fmt/core.h>

struct Echo {
  using ToCallee = int;
  using ToCaller = int;
};

// Cuts the link after so many; never, if negative.
void echo(tractor::Context<Echo>& ctx, int break_after) {
  auto stream = ctx.open_stream();
  for (int number : stream) {
    if (number == break_after) tractor::testing::break_link(ctx);
    stream.send(number);
  }
}

void break_in(std::string const& side, int here, int there) {
  trio::catching(
      [&] {
        tractor::open_nursery([&](tractor::ActorNursery& nursery) {
          auto portal = nursery.start_actor("echo", tractor::expose<echo>);
          portal.open_context<echo>(there, [&](auto& ctx) {
            auto stream = ctx.open_stream();
            for (int number = 0;; ++number) {
              if (number == here) tractor::testing::break_link(portal);
              stream.send(number);
              if (stream.receive() != number) throw std::logic_error("another number");
            }
          });
        });
      },
      [&](tractor::TransportClosed const&) { fmt::print("{}: the link was closed\n", side); },
      [&](tractor::ActorDied const&) { fmt::print("{}: the actor has died\n", side); });
  fmt::print("{}: nothing is left\n", side);
}

void amain() {
  break_in("broken by the caller", 100, -1);
  break_in("broken by the callee", -1, 100);
}

int main() { return tractor::run(amain, {.log_level = tractor::LogLevel::error}); }
