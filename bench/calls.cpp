// SPDX-License-Identifier: BSL-1.0
// Calls to an actor against bare libzmq, and a bare pair of sockets, between two
// processes.
#include "bare_process.hpp"
#include "bare_socket.hpp"
#include "bare_zmq.hpp"

#include <tractor/tractor.hpp>

#include <functional>
#include <string>

#include <benchmark/benchmark.h>

namespace {

constexpr char const* small = "12345678";
// The messages of a batch flow one way; only its end is waited for.
constexpr int batch = 10'000;
// How many calls are in flight at once: what stands for one-way messages until there are streams.
constexpr int window = 100;

int add(int a, int b) { return a + b; }

void nothing() {}

// Runs `body(portal)` with an actor at the other end.
void with_actor(std::function<void(tractor::Portal&)> const& body) {
  trio::run([&] {
    tractor::open_nursery([&](tractor::ActorNursery& nursery) {
      auto portal = nursery.start_actor("peer", tractor::expose<add, nothing>);
      body(portal);
      portal.cancel_actor();
    });
  });
}

void portal_run_round_trip(benchmark::State& state) {
  with_actor([&](tractor::Portal& portal) {
    for (auto _ : state) benchmark::DoNotOptimize(portal.run<add>(1, 2));
  });
}

void zmq_round_trip(benchmark::State& state) {
  bench::BareZmqPeer peer;
  for (auto _ : state) peer.round_trip(small);
}

void socketpair_round_trip(benchmark::State& state) {
  bench::BareSocketPeer peer;
  for (auto _ : state) peer.round_trip({small, 8});
}

void portal_run_one_way(benchmark::State& state) {
  with_actor([&](tractor::Portal& portal) {
    int left = 0;
    while (state.KeepRunningBatch(batch)) {
      left = batch;
      trio::open_nursery([&](trio::Nursery& nursery) {
        for (int i = 0; i < window; ++i)
          nursery.start_soon([&] {
            while (left-- > 0) portal.run<nothing>();
          });
      });
    }
  });
}

void zmq_one_way(benchmark::State& state) {
  bench::BareZmqPeer peer;
  std::string const message(32, bench::one_way);
  while (state.KeepRunningBatch(batch)) {
    for (int i = 1; i < batch; ++i) peer.send(message);
    peer.round_trip(small);
  }
}

}  // namespace

// Most of the time passes in the other process, or waiting for it.
BENCHMARK(portal_run_round_trip)->UseRealTime();
BENCHMARK(zmq_round_trip)->UseRealTime();
BENCHMARK(socketpair_round_trip)->UseRealTime();
BENCHMARK(portal_run_one_way)->UseRealTime();
BENCHMARK(zmq_one_way)->UseRealTime();

int main(int argc, char** argv) {
  tractor::become_actor_if_spawned();
  bench::run_if_bare(argc, argv);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
