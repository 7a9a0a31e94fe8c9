// SPDX-License-Identifier: BSL-1.0
// Contexts and their streams against bare libzmq, and a bare pair of sockets, between two
// processes.
#include "bare_process.hpp"
#include "bare_socket.hpp"
#include "bare_zmq.hpp"

#include <tractor/tractor.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

namespace {

// The messages of a batch flow one way; only its end is waited for.
constexpr int batch = 10'000;
constexpr int large_batch = 50;

struct Nothing {};

struct Texts {
  using ToCallee = std::string;
  using ToCaller = std::string;
};

struct Loads {
  using ToCallee = tractor::Bytes;
  using ToCaller = tractor::Bytes;
};

void end_at_once(tractor::Context<Nothing>&) {}

template <class P> void echo(tractor::Context<P>& ctx) {
  auto stream = ctx.open_stream();
  for (auto message : stream) stream.send(message);
}

// Answers the empty ones.
template <class P> void take(tractor::Context<P>& ctx, std::size_t window) {
  auto stream = ctx.open_stream({.window = window, .window_bytes = std::size_t(64) << 20});
  for (auto message : stream)
    if (message.empty()) stream.send(std::move(message));
}

// Runs `body(portal)` with an actor at the other end.
void with_actor(std::function<void(tractor::Portal&)> const& body) {
  trio::run([&] {
    tractor::open_nursery([&](tractor::ActorNursery& nursery) {
      auto portal = nursery.start_actor(
          "peer", tractor::expose<end_at_once, echo<Texts>, echo<Loads>, take<Texts>, take<Loads>>);
      body(portal);
      portal.cancel_actor();
    });
  });
}

std::size_t size_of(benchmark::State const& state) {
  return static_cast<std::size_t>(state.range(0));
}

void context_open_and_close(benchmark::State& state) {
  with_actor([&](tractor::Portal& portal) {
    for (auto _ : state) portal.open_context<end_at_once>([](auto&) {});
  });
}

void thousand_contexts_at_once(benchmark::State& state) {
  with_actor([&](tractor::Portal& portal) {
    while (state.KeepRunningBatch(1000))
      trio::open_nursery([&](trio::Nursery& nursery) {
        for (int i = 0; i < 1000; ++i)
          nursery.start_soon([&] { portal.open_context<end_at_once>([](auto&) {}); });
      });
  });
}

template <class P> void round_trip(benchmark::State& state) {
  with_actor([&](tractor::Portal& portal) {
    portal.open_context<echo<P>>([&](auto& ctx) {
      auto stream = ctx.open_stream();
      typename P::ToCallee const message{std::string(size_of(state), 'x')};
      for (auto _ : state) {
        stream.send(message);
        benchmark::DoNotOptimize(stream.receive());
      }
    });
  });
}

void stream_round_trip(benchmark::State& state) { round_trip<Texts>(state); }

void load_round_trip(benchmark::State& state) { round_trip<Loads>(state); }

void zmq_round_trip(benchmark::State& state) {
  bench::BareZmqPeer peer;
  std::string const message(size_of(state), 'x');
  for (auto _ : state) peer.round_trip(message);
}

void socketpair_round_trip(benchmark::State& state) {
  bench::BareSocketPeer peer;
  std::string const message(size_of(state), 'x');
  for (auto _ : state) peer.round_trip(message);
}

void stream_one_way(benchmark::State& state) {
  with_actor([&](tractor::Portal& portal) {
    portal.open_context<take<Texts>>(static_cast<std::size_t>(state.range(1)), [&](auto& ctx) {
      auto stream = ctx.open_stream();
      std::string const message(size_of(state), 'x');
      while (state.KeepRunningBatch(batch)) {
        for (int i = 1; i < batch; ++i) stream.send(message);
        stream.send("");
        stream.receive();
      }
    });
  });
}

void zmq_one_way(benchmark::State& state) {
  bench::BareZmqPeer peer;
  std::string const message(size_of(state), bench::one_way);
  while (state.KeepRunningBatch(batch)) {
    for (int i = 1; i < batch; ++i) peer.send(message);
    peer.round_trip("x");
  }
}

void stream_of_loads(benchmark::State& state) {
  with_actor([&](tractor::Portal& portal) {
    portal.open_context<take<Loads>>(std::size_t{64}, [&](auto& ctx) {
      auto stream = ctx.open_stream();
      tractor::Bytes const load{std::string(size_of(state), 'x')};
      while (state.KeepRunningBatch(large_batch)) {
        for (int i = 1; i < large_batch; ++i) stream.send(load);
        stream.send(tractor::Bytes());
        stream.receive();
      }
    });
  });
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void zmq_loads(benchmark::State& state) {
  bench::BareZmqPeer peer;
  std::string const message(size_of(state), bench::one_way);
  while (state.KeepRunningBatch(large_batch)) {
    for (int i = 1; i < large_batch; ++i) peer.send(message);
    peer.round_trip("x");
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

}  // namespace

// Most of the time passes in the other process, or waiting for it.
BENCHMARK(context_open_and_close)->UseRealTime();
BENCHMARK(thousand_contexts_at_once)->UseRealTime();
BENCHMARK(stream_round_trip)->Arg(8)->Arg(1024)->Arg(65536)->UseRealTime();
BENCHMARK(load_round_trip)->Arg(65536)->UseRealTime();
BENCHMARK(zmq_round_trip)->Arg(8)->Arg(1024)->Arg(65536)->UseRealTime();
BENCHMARK(socketpair_round_trip)->Arg(8)->Arg(1024)->Arg(65536)->UseRealTime();
BENCHMARK(stream_one_way)->ArgsProduct({{32, 1024}, {16, 64, 256, 1024}})->UseRealTime();
BENCHMARK(zmq_one_way)->Arg(32)->Arg(1024)->UseRealTime();
BENCHMARK(stream_of_loads)->Arg(1 << 20)->UseRealTime();
BENCHMARK(zmq_loads)->Arg(1 << 20)->UseRealTime();

int main(int argc, char** argv) {
  tractor::become_actor_if_spawned();
  bench::run_if_bare(argc, argv);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
