// SPDX-License-Identifier: BSL-1.0
// A service of three levels: two streamers, an aggregator that has them as its children and merges
// what they send, and the root, which reads the merged stream.
#include <tractor/tractor.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <set>
#include <vector>

#include <fmt/core.h>

void stream_data(tractor::SendStream<int>& stream, int count) {
  for (int i = 0; i < count; ++i) stream.send(i);
}

// Sends each number once, whichever of the two streamers it comes from first.
void aggregate(tractor::SendStream<int>& merged, int count) {
  tractor::open_nursery([&](tractor::ActorNursery& nursery) {
    std::vector<tractor::Portal> streamers;
    for (int i : {1, 2})
      streamers.push_back(
          nursery.start_actor(fmt::format("streamer_{}", i), tractor::expose<stream_data>));

    auto [sender, receiver] = trio::open_memory_channel<int>(500);
    trio::open_nursery([&](trio::Nursery& tasks) {
      auto const push = [&](tractor::Portal portal, trio::MemorySendChannel<int>& out) {
        portal.open_stream_from<stream_data>(count, [&](auto& stream) {
          for (int number : stream) out.send(number);
        });
        out.close();
      };
      for (auto const& portal : streamers)
        tasks.start_soon(
            [&push, portal, out = std::make_shared<trio::MemorySendChannel<int>>(sender.clone())] {
              push(portal, *out);
            });
      sender.close();

      std::set<int> seen;
      for (int number : receiver)
        if (seen.insert(number).second) merged.send(number);
      fmt::print("AGGREGATOR: all streams have ended\n");
      std::fflush(stdout);
    });
    for (auto const& portal : streamers) portal.cancel_actor();
  });
}

void amain() {
  tractor::open_nursery([](tractor::ActorNursery& nursery) {
    auto portal = nursery.start_actor("aggregator", tractor::expose<aggregate>);
    auto const start = trio::current_time();

    std::vector<int> numbers;
    portal.open_stream_from<aggregate>(1000, [&](auto& stream) {
      for (int number : stream) numbers.push_back(number);
    });

    auto const time = trio::between(start, trio::current_time()).nanoseconds();
    fmt::print("STREAM TIME = {} ms\n",
               std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
    fmt::print("{} numbers, from {} to {}\n", numbers.size(),
               *std::min_element(numbers.begin(), numbers.end()),
               *std::max_element(numbers.begin(), numbers.end()));
    portal.cancel_actor();
  });
}

int main() { return tractor::run(amain); }
