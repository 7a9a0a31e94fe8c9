// SPDX-License-Identifier: BSL-1.0
// One stream, read by several tasks, each of which gets all of it; it is fetched once.
#include <tractor/tractor.hpp>

#include <memory>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

void count(tractor::SendStream<int>& stream) {
  for (int i = 0; i < 5; ++i) stream.send(i);
}

void amain() {
  tractor::open_nursery([](tractor::ActorNursery& nursery) {
    auto portal = nursery.start_actor("counter", tractor::expose<count>);

    portal.open_stream_from<count>([](auto& stream) {
      trio::open_nursery([&](trio::Nursery& tasks) {
        for (int i = 0; i < 3; ++i)
          tasks.start_soon(
              [i, numbers = std::make_shared<decltype(stream.subscribe())>(stream.subscribe())] {
                std::vector<int> all;
                for (int number : *numbers) all.push_back(number);
                fmt::print("task {} got {}\n", i, all);
              });
      });
    });

    portal.cancel_actor();
  });
}

int main() { return tractor::run(amain); }
