// SPDX-License-Identifier: BSL-1.0
// Two suppliers share the work; one crashes at every third order and is started anew, which the
// other does not notice: what is to survive alone has an actor nursery of its own.
#include <tractor/tractor.hpp>

#include <string>

#include <fmt/core.h>
#include <signal.h>

struct Orders {
  using ToCallee = int;
  using ToCaller = int;
};

// Crashes at every third.
void deliver(tractor::Context<Orders>& ctx) {
  auto orders = ctx.open_stream();
  for (int order : orders) {
    if (order % 3 == 0) raise(SIGKILL);
    orders.send(order);
  }
}

// Has the orders up to `last` delivered; returns the next that is to be.
int deliver_from(int next, int last, std::string const& name) {
  trio::catching(
      [&] {
        tractor::open_nursery([&](tractor::ActorNursery& nursery) {
          auto const portal = nursery.start_actor(name, tractor::expose<deliver>);
          portal.open_context<deliver>([&](auto& ctx) {
            auto orders = ctx.open_stream();
            for (; next <= last; ++next) {
              orders.send(next);
              orders.receive();
            }
          });
          portal.cancel_actor();
        });
      },
      [&](tractor::ActorDied const& death) {
        fmt::print("{}: order {}: signal {}, starting anew\n", name, next, death.signal());
        ++next;
      });
  return next;
}

void supply(int first, int last, std::string const& name) {
  for (int next = first; next <= last;) next = deliver_from(next, last, name);
  fmt::print("{}: done\n", name);
}

void amain() {
  trio::open_nursery([](trio::Nursery& tasks) {
    tasks.start_soon([] { supply(1, 2, "apples"); });
    tasks.start_soon([] { supply(4, 10, "pears"); });
  });
}

int main() { return tractor::run(amain, {.log_level = tractor::LogLevel::error}); }
