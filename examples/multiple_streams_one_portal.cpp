// SPDX-License-Identifier: BSL-1.0
// Several streams at once from one actor: each has a pace of its own, and none holds another up.
#include <tractor/tractor.hpp>

#include <chrono>

#include <fmt/core.h>

using namespace std::chrono_literals;

void count(tractor::SendStream<int>& stream, int step) {
  for (int number = 0;; number += step) stream.send(number);
}

void amain() {
  tractor::open_nursery([](tractor::ActorNursery& nursery) {
    auto portal = nursery.start_actor("counter", tractor::expose<count>);

    trio::open_nursery([&](trio::Nursery& tasks) {
      for (int step : {1, 10})
        tasks.start_soon([&, step] {
          portal.open_stream_from<count>(step, [&](auto& stream) {
            int seen = 0;
            for (int number : stream) {
              fmt::print("by {}: {}\n", step, number);
              trio::sleep(1ms);
              if (++seen == 20) break;
            }
          });
          fmt::print("by {}: enough\n", step);
        });
    });

    fmt::print("both are done\n");
    portal.cancel_actor();
  });
}

int main() { return tractor::run(amain); }
