// SPDX-License-Identifier: BSL-1.0
// One publisher and 1, 8, 32 subscribers in processes of their own, against bare libzmq doing the
// same: messages of 32 bytes, in batches that everybody has received before the next.
#include "bare_fan_out.hpp"
#include "bare_process.hpp"

#include <tractor/tractor.hpp>

#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

namespace {

constexpr int size = 32;

// Room for a batch: nothing is to be lost here.
constexpr std::size_t queue = 4 * bench::fan_out_batch;

// Sends an item for each batch that it has received.
void follow(tractor::SendStream<int>& told, tractor::Topic<tractor::Bytes> topic, bool lossless) {
  auto subscription =
      topic.subscribe({.window = lossless ? 1024 : queue,
                       .overrun = lossless ? tractor::Overrun::wait : tractor::Overrun::error});
  for (int batch = 0;; ++batch) {
    for (int i = 0; i < bench::fan_out_batch; ++i) benchmark::DoNotOptimize(subscription.receive());
    told.send(batch);
  }
}

void publish(benchmark::State& state, int subscribers, bool lossless) {
  trio::run([&] {
    tractor::open_nursery([&](tractor::ActorNursery& nursery) {
      tractor::Publisher<tractor::Bytes> publisher("benchmark", {.queue = queue});
      auto [told, count] = trio::open_memory_channel<int>(trio::unbounded);
      std::vector<tractor::Portal> portals;
      for (int i = 0; i < subscribers; ++i)
        portals.push_back(nursery.start_actor("subscriber", tractor::expose<follow>));
      trio::open_nursery([&](trio::Nursery& tasks) {
        for (auto& portal : portals)
          tasks.start_soon([&] {
            portal.open_stream_from<follow>(publisher.topic(), lossless, [&](auto& stream) {
              for (int batch : stream) told.send(batch);
            });
          });
        publisher.wait_for_subscribers(portals.size());
        tractor::Bytes const load(std::string(size, '.'));
        while (state.KeepRunningBatch(bench::fan_out_batch)) {
          for (int i = 0; i < bench::fan_out_batch; ++i) publisher.publish(load);
          for (int i = 0; i < subscribers; ++i) count.receive();
        }
        tasks.cancel_scope().cancel();
      });
      nursery.cancel();
    });
  });
}

void publish_bare(benchmark::State& state, int subscribers) {
  bench::BareFanOut fan_out(subscribers);
  std::string const load(size, '.');
  while (state.KeepRunningBatch(bench::fan_out_batch)) fan_out.publish_batch(load);
}

}  // namespace

int main(int argc, char** argv) {
  tractor::become_actor_if_spawned();
  bench::run_if_bare(argc, argv);
  for (int const subscribers : {1, 8, 32}) {
    auto const number = std::to_string(subscribers);
    auto const add = [&](std::string const& name, auto measured) {
      benchmark::RegisterBenchmark((name + number).c_str(), measured)->UseRealTime();
    };
    add("topic_to_", [=](benchmark::State& state) { publish(state, subscribers, false); });
    add("lossless_topic_to_", [=](benchmark::State& state) { publish(state, subscribers, true); });
    add("zmq_pub_to_", [=](benchmark::State& state) { publish_bare(state, subscribers); });
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
