// SPDX-License-Identifier: BSL-1.0
// A tree of actors at work, in which we kill nodes at random, with kill -9, and see what the
// survivors see: each branch that loses a node is told within milliseconds, by name, ends what is
// left of itself and is grown anew. `chaos SECONDS SEED` replays a run's choices.
#include <tractor/tractor.hpp>

#include <chrono>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <signal.h>
#include <unistd.h>

using namespace std::chrono_literals;

int work(int number) {
  trio::sleep(1ms);
  return number + 1;
}

// A branch: a foreman with three workers of its own, which work for as long as all of them live.
void keep_working(std::string const& name) {
  tractor::open_nursery([&](tractor::ActorNursery& nursery) {
    trio::open_nursery([&](trio::Nursery& tasks) {
      for (int i = 0; i < 3; ++i) {
        auto worker = nursery.start_actor(fmt::format("{}.{}", name, i), tractor::expose<work>);
        tasks.start_soon([worker] {
          for (int number = 0;; number = worker.run<work>(number)) {}
        });
      }
    });
  });
}

// The processes below this one, from the kernel.
std::vector<pid_t> descendants(pid_t pid) {
  std::vector<pid_t> found;
  std::FILE* const file =
      std::fopen(fmt::format("/proc/{}/task/{}/children", pid, pid).c_str(), "re");
  if (!file) return found;
  for (pid_t child = 0; std::fscanf(file, "%d", &child) == 1;) {
    found.push_back(child);
    for (pid_t below : descendants(child)) found.push_back(below);
  }
  std::fclose(file);
  return found;
}

void kill_somebody(std::mt19937& random) {
  auto const victims = descendants(getpid());
  if (victims.empty()) return;
  pid_t const victim = victims[random() % victims.size()];
  fmt::print("kill -9 {}\n", victim);
  kill(victim, SIGKILL);
}

// Grows a branch again whenever it has died.
void tend_branch(std::string const& name, int& deaths) {
  for (;;) {
    trio::catching(
        [&] {
          tractor::open_nursery([&](tractor::ActorNursery& nursery) {
            nursery.run_in_actor<keep_working>({.name = name}, name).result();
          });
        },
        [&](tractor::ActorDied const& error) {
          ++deaths;
          fmt::print("{} itself has died: {}\n", name, error.what());
        },
        [&](tractor::RemoteActorError const& error) {
          ++deaths;
          fmt::print("{} has lost somebody: {}\n", name, error.what());
        });
  }
}

void amain(int argc, char** argv) {
  auto const seconds = std::chrono::seconds(argc > 1 ? std::atoi(argv[1]) : 2);
  std::mt19937 random(argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : 1);
  int deaths = 0;
  static_cast<void>(trio::move_on_after(seconds, [&] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (auto const* name : {"north", "south"})
        nursery.start_soon([&deaths, name] { tend_branch(name, deaths); });
      for (;;) {
        trio::sleep(200ms);
        kill_somebody(random);
      }
    });
  }));
  fmt::print("{} branches died and were grown again\n", deaths);
}

int main(int argc, char** argv) {
  return tractor::run([&] { amain(argc, argv); });
}
