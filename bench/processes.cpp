// SPDX-License-Identifier: BSL-1.0
// processes FILE: births and deaths of actors against those of bare processes of the same program,
// turn by turn, into a FILE that table.py reads.
#include "bare_process.hpp"
#include "bare_zmq.hpp"
#include "record.hpp"
#include "roll.hpp"

#include <tractor/tractor.hpp>

#include <string>
#include <vector>

#include <fmt/format.h>
#include <sys/resource.h>

namespace {

using bench::Clock;

void nothing() {}

// Lives with so many others below it, each below the other, until it is ended.
void stay(std::string roll, int below) {
  tractor::open_nursery([&](tractor::ActorNursery& nursery) {
    if (below > 0) nursery.run_in_actor<stay>(roll, below - 1);
    bench::Roll::sign(roll);
    trio::sleep_forever();
  });
}

void spawn_and_reap_actor(bench::Record& record) {
  auto const begin = Clock::now();
  tractor::open_nursery([&](tractor::ActorNursery& nursery) {
    auto const portal = nursery.start_actor("one", tractor::expose<nothing>);
    portal.run<nothing>();
    record.add("actor_first_reply", begin);
    portal.cancel_actor();
  });
  record.add("actor_spawn_and_reap", begin);
}

void spawn_and_reap_bare(bench::Record& record) {
  // The root of a tree of actors has its own from the beginning.
  bench::BareRouter router;
  auto const begin = Clock::now();
  bench::BareProcess process({bench::zmq_hello, router.endpoint()});
  router.receive();
  record.add("bare_first_reply", begin);
  process.wait();
  record.add("bare_spawn_and_reap", begin);
}

// `width` chains of actors, each `depth` long.
void tear_down_actors(bench::Record& record, std::string name, int width, int depth) {
  bench::Roll roll;
  Clock::time_point begin;
  tractor::open_nursery([&](tractor::ActorNursery& nursery) {
    for (int i = 0; i < width; ++i) nursery.run_in_actor<stay>(roll.address(), depth - 1);
    roll.wait_for(static_cast<std::size_t>(width * depth));
    begin = Clock::now();
    nursery.cancel();
  });
  record.add(std::move(name), begin);
}

void kill_bare(bench::Record& record, std::string name, int count) {
  bench::BareRouter router;
  std::vector<bench::BareProcess> processes;
  for (int i = 0; i < count; ++i) {
    processes.emplace_back(bench::BareProcess({bench::zmq_service, router.endpoint()}));
  }
  for (int i = 0; i < count; ++i) router.receive();
  auto const begin = Clock::now();
  for (auto const& process : processes) process.kill();
  for (auto& process : processes) process.wait();
  record.add(std::move(name), begin);
}

struct Teardown {
  int count;
  int rounds;
  // Chains are limited to 100 levels.
  bool has_deep;
};

constexpr Teardown teardowns[] = {{8, 11, true}, {64, 5, true}, {256, 3, false}};
constexpr int spawn_rounds = 41;

void measure(bench::Record& record) {
  for (int i = 0; i < spawn_rounds; ++i) {
    spawn_and_reap_actor(record);
    spawn_and_reap_bare(record);
  }
  for (auto const& [count, rounds, has_deep] : teardowns) {
    for (int i = 0; i < rounds; ++i) {
      tear_down_actors(record, fmt::format("actors_wide_{}", count), count, 1);
      kill_bare(record, fmt::format("bare_kill_{}", count), count);
      if (has_deep) tear_down_actors(record, fmt::format("actors_deep_{}", count), 1, count);
    }
  }
}

// Hundreds of children are more than the usual limit allows for.
void allow_many_descriptors() {
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  tractor::become_actor_if_spawned();
  bench::run_if_bare(argc, argv);
  if (argc != 2) {
    fmt::print(stderr, "usage: {} FILE\n", argv[0]);
    return 2;
  }
  allow_many_descriptors();
  return tractor::run([&] {
    bench::Record record;
    measure(record);
    record.write(argv[1]);
  });
}
