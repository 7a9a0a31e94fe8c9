// SPDX-License-Identifier: BSL-1.0
// A tree of processes that destroys itself, and leaves no zombies. Watch it from another terminal:
//   watch -n 0.1 "pstree -a $(pgrep -o we_are_processes)"
#include <tractor/tractor.hpp>

#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <thread>

#include <fmt/core.h>
#include <unistd.h>

using namespace std::chrono_literals;

void target() {
  fmt::print("Yo, I'm '{}' running in pid {}\n", tractor::current_actor().name(), getpid());
  std::fflush(stdout);
  trio::sleep_forever();
}

void amain() {
  try {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i)
        nursery.run_in_actor<target>({.name = fmt::format("worker_{}", i)});

      fmt::print("This process tree will self-destruct in 1 sec...\n");
      std::fflush(stdout);
      trio::sleep(1s);

      // An error in the root ends and reaps all minions.
      throw std::runtime_error("Self Destructed");
    });
  } catch (std::exception const&) {
    fmt::print("Zombies Contained\n");
  }
}

int main() { return tractor::run(amain); }
