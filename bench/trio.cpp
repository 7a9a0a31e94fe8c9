// SPDX-License-Identifier: BSL-1.0
// trio against bare Boost.Fiber and the raw Boost.Context switch under it, in one run.
#include <trio/trio.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>
#include <boost/context/fiber.hpp>
#include <boost/fiber/all.hpp>

namespace {

// Runs `work` on a thread of its own: a run, and Boost's schedulers, belong to a thread each.
void on_own_thread(std::function<void()> const& work) { std::thread(work).join(); }

void raw_context_switch(benchmark::State& state) {
  namespace context = boost::context;
  bool stop = false;
  context::fiber other([&](context::fiber&& back) {
    while (!stop) back = std::move(back).resume();
    return std::move(back);
  });
  // There and back: two switches.
  for (auto _ : state) other = std::move(other).resume();
  stop = true;
  other = std::move(other).resume();
  state.SetItemsProcessed(state.iterations() * 2);
}

void boost_fiber_yield(benchmark::State& state) {
  on_own_thread([&] {
    bool stop = false;
    boost::fibers::fiber other([&] {
      while (!stop) boost::this_fiber::yield();
    });
    for (auto _ : state) boost::this_fiber::yield();
    stop = true;
    other.join();
  });
  state.SetItemsProcessed(state.iterations() * 2);
}

// Parks, for another task to wake.
void park() {
  trio::lowlevel::wait_task_rescheduled(
      [](trio::lowlevel::RaiseCancel const&) { return trio::lowlevel::Abort::succeeded; });
}

// Two tasks wake each other in turn.
void trio_park_and_unpark(benchmark::State& state) {
  trio::run([&] {
    trio::Task& here = trio::lowlevel::current_task();
    trio::Task* there = nullptr;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        there = &trio::lowlevel::current_task();
        for (;;) {
          trio::lowlevel::reschedule(here);
          park();
        }
      });
      park();
      for (auto _ : state) {
        trio::lowlevel::reschedule(*there);
        park();
      }
      nursery.cancel_scope().cancel();
    });
  });
  state.SetItemsProcessed(state.iterations() * 2);
}

void trio_checkpoint_between_two_tasks(benchmark::State& state) {
  trio::run([&] {
    bool stop = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        while (!stop) trio::lowlevel::checkpoint();
      });
      for (auto _ : state) trio::lowlevel::checkpoint();
      stop = true;
    });
  });
  state.SetItemsProcessed(state.iterations() * 2);
}

void trio_checkpoint_alone(benchmark::State& state) {
  trio::run([&] {
    for (auto _ : state) trio::lowlevel::checkpoint();
  });
  state.SetItemsProcessed(state.iterations());
}

void boost_fiber_spawn_and_join(benchmark::State& state) {
  on_own_thread([&] {
    for (auto _ : state) boost::fibers::fiber([] {}).join();
  });
  state.SetItemsProcessed(state.iterations());
}

void trio_spawn_and_join(benchmark::State& state) {
  trio::run([&] {
    for (auto _ : state)
      trio::open_nursery([](trio::Nursery& nursery) { nursery.start_soon([] {}); });
  });
  state.SetItemsProcessed(state.iterations());
}

void trio_spawn_1000_and_join(benchmark::State& state) {
  trio::run([&] {
    for (auto _ : state)
      trio::open_nursery([](trio::Nursery& nursery) {
        for (int i = 0; i < 1000; ++i) nursery.start_soon([] {});
      });
  });
  state.SetItemsProcessed(state.iterations() * 1000);
}

void boost_fiber_spawn_1000_and_join(benchmark::State& state) {
  on_own_thread([&] {
    std::vector<boost::fibers::fiber> fibers(1000);
    for (auto _ : state) {
      for (auto& fiber : fibers) fiber = boost::fibers::fiber([] {});
      for (auto& fiber : fibers) fiber.join();
    }
  });
  state.SetItemsProcessed(state.iterations() * 1000);
}

void boost_fiber_channel_round_trip(benchmark::State& state) {
  on_own_thread([&] {
    boost::fibers::unbuffered_channel<int> there;
    boost::fibers::unbuffered_channel<int> back;
    boost::fibers::fiber other([&] {
      for (int value : there) back.push(value);
    });
    int value = 0;
    for (auto _ : state) {
      there.push(1);
      back.pop(value);
    }
    there.close();
    other.join();
  });
  state.SetItemsProcessed(state.iterations());
}

void trio_channel_round_trip(benchmark::State& state) {
  trio::run([&] {
    auto [there, from_here] = trio::open_memory_channel<int>(0);
    auto [back, from_there] = trio::open_memory_channel<int>(0);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        for (int value : from_here) back.send(value);
      });
      for (auto _ : state) {
        there.send(1);
        from_there.receive();
      }
      there.close();
    });
  });
  state.SetItemsProcessed(state.iterations());
}

// The messages of a batch flow one way; only its end is waited for.
constexpr int batch = 1000;
constexpr std::size_t channel_capacity = 64;
constexpr int receivers = 8;

void boost_fiber_channel_one_way(benchmark::State& state) {
  on_own_thread([&] {
    while (state.KeepRunningBatch(batch)) {
      boost::fibers::buffered_channel<int> channel(channel_capacity);
      boost::fibers::fiber other([&] {
        for (int value : channel) benchmark::DoNotOptimize(value);
      });
      for (int i = 0; i < batch; ++i) channel.push(i);
      channel.close();
      other.join();
    }
  });
  state.SetItemsProcessed(state.iterations());
}

void trio_channel_one_way(benchmark::State& state) {
  trio::run([&] {
    while (state.KeepRunningBatch(batch)) {
      auto channel = trio::open_memory_channel<int>(channel_capacity);
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([&] {
          for (int value : channel.receiver) benchmark::DoNotOptimize(value);
        });
        for (int i = 0; i < batch; ++i) channel.sender.send(i);
        channel.sender.close();
      });
    }
  });
  state.SetItemsProcessed(state.iterations());
}

// Boost.Fiber has no broadcast: a channel for each receiver.
void boost_fiber_broadcast(benchmark::State& state) {
  on_own_thread([&] {
    using Channel = boost::fibers::buffered_channel<int>;
    while (state.KeepRunningBatch(batch)) {
      std::vector<std::unique_ptr<Channel>> channels;
      std::vector<boost::fibers::fiber> fibers;
      for (int i = 0; i < receivers; ++i) {
        Channel& channel = *channels.emplace_back(std::make_unique<Channel>(channel_capacity));
        fibers.emplace_back([&channel] {
          for (int value : channel) benchmark::DoNotOptimize(value);
        });
      }
      for (int i = 0; i < batch; ++i)
        for (auto& channel : channels) channel->push(i);
      for (auto& channel : channels) channel->close();
      for (auto& fiber : fibers) fiber.join();
    }
  });
  state.SetItemsProcessed(state.iterations());
}

void trio_broadcast(benchmark::State& state) {
  trio::run([&] {
    while (state.KeepRunningBatch(batch)) {
      auto channel = trio::open_memory_channel<int>(channel_capacity);
      trio::open_nursery([&](trio::Nursery& nursery) {
        auto first = trio::broadcast(std::move(channel.receiver), channel_capacity);
        auto const receive = [](auto receiver) {
          for (int value : receiver) benchmark::DoNotOptimize(value);
        };
        for (int i = 1; i < receivers; ++i) nursery.start_soon(receive, first.subscribe());
        nursery.start_soon(receive, std::move(first));
        for (int i = 0; i < batch; ++i) channel.sender.send(i);
        channel.sender.close();
      });
    }
  });
  state.SetItemsProcessed(state.iterations());
}

void trio_deadline_churn(benchmark::State& state) {
  trio::run([&] {
    for (auto _ : state)
      benchmark::DoNotOptimize(trio::move_on_after(std::chrono::seconds(10), [] {}));
  });
  state.SetItemsProcessed(state.iterations());
}

}  // namespace

// Some work on a thread of their own, whose time is no time of this one.
BENCHMARK(raw_context_switch)->UseRealTime();
BENCHMARK(boost_fiber_yield)->UseRealTime();
BENCHMARK(trio_park_and_unpark)->UseRealTime();
BENCHMARK(trio_checkpoint_between_two_tasks)->UseRealTime();
BENCHMARK(trio_checkpoint_alone)->UseRealTime();
BENCHMARK(boost_fiber_spawn_and_join)->UseRealTime();
BENCHMARK(trio_spawn_and_join)->UseRealTime();
BENCHMARK(boost_fiber_spawn_1000_and_join)->UseRealTime();
BENCHMARK(trio_spawn_1000_and_join)->UseRealTime();
BENCHMARK(boost_fiber_channel_round_trip)->UseRealTime();
BENCHMARK(trio_channel_round_trip)->UseRealTime();
BENCHMARK(boost_fiber_channel_one_way)->UseRealTime();
BENCHMARK(trio_channel_one_way)->UseRealTime();
BENCHMARK(boost_fiber_broadcast)->UseRealTime();
BENCHMARK(trio_broadcast)->UseRealTime();
// A million scopes in all repetitions.
BENCHMARK(trio_deadline_churn)->UseRealTime();
BENCHMARK_MAIN();
