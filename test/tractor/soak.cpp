// SPDX-License-Identifier: BSL-1.0
// A thousand actors in small trees, of which any may be killed, stopped or cancelled at any moment.
// TRACTOR_SOAK_SEED replays a run's choices, TRACTOR_SOAK_SPAWNS makes it longer.
#include "support.hpp"

#include <chrono>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <signal.h>

using namespace std::chrono_literals;

namespace {

using Random = std::minstd_rand;

unsigned from_environment(char const* name, unsigned otherwise) {
  char const* const text = std::getenv(name);
  return text ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : otherwise;
}

// What an actor of the tree does, all of it drawn from its seed.
struct Plan {
  std::vector<unsigned> children;
  int work_ms = 0;
  bool fails = false;
};

Plan plan_of(unsigned seed, int levels) {
  Random random(seed + 1);
  random.discard(10);
  Plan plan;
  auto const width = levels == 0 ? 0 : 1 + random() % 3;
  for (unsigned i = 0; i < width; ++i) plan.children.push_back(static_cast<unsigned>(random()));
  plan.work_ms = static_cast<int>(random() % 40);
  plan.fails = random() % 10 == 0;
  return plan;
}

// Each actor is called by its way from the root: "/2/0" is the first child of the root's third.
std::string child_of(std::string const& way, std::size_t number) {
  return way + "/" + std::to_string(number);
}

void grow(unsigned seed, int levels, std::string const& way) {
  Plan const plan = plan_of(seed, levels);
  tractor::open_nursery([&](tractor::ActorNursery& nursery) {
    for (std::size_t i = 0; i < plan.children.size(); ++i) {
      std::string const name = child_of(way, i);
      nursery.run_in_actor<grow>({.name = name,
                                  .spawn_timeout = 2s,
                                  .cancel_timeout = 300ms,
                                  .terminate_timeout = 100ms,
                                  .unresponsive_after = 2s},
                                 plan.children[i], levels - 1, name);
    }
    trio::sleep(std::chrono::milliseconds(plan.work_ms));
    if (plan.fails) throw std::runtime_error("as planned");
  });
}

// The names of all that are to be spawned below `way`.
void add_planned(std::vector<std::string>& names, unsigned seed, int levels,
                 std::string const& way) {
  auto const children = plan_of(seed, levels).children;
  for (std::size_t i = 0; i < children.size(); ++i) {
    std::string const name = child_of(way, i);
    names.push_back(name);
    add_planned(names, children[i], levels - 1, name);
  }
}

enum class Harm { none, kill, stop, terminate, cancel };

// Does it to the actor of that name, or, if it is not there, to the nearest above it that is.
void harm(Harm what, std::string victim) {
  int const signal = what == Harm::kill ? SIGKILL : what == Harm::stop ? SIGSTOP : SIGTERM;
  auto const actors = support::living_actors(tractor::current_actor().tree_id());
  for (; !victim.empty(); victim.erase(victim.rfind('/')))
    for (auto const& actor : actors)
      if (actor.find("[" + victim + "@") != std::string::npos) {
        kill(std::stoi(actor), signal);
        return;
      }
}

}  // namespace

TEST_CASE("a thousand spawns, with kills, stops and cancels at random, leave nothing behind") {
  unsigned const seed = from_environment("TRACTOR_SOAK_SEED", 1);
  std::size_t const wanted = from_environment("TRACTOR_SOAK_SPAWNS", 1000);
  CAPTURE(seed);
  Random random(seed);
  random.discard(10);
  constexpr int levels = 3;
  std::size_t spawns = 0;
  for (int round = 0; spawns < wanted; ++round) {
    CAPTURE(round);
    auto const tree = static_cast<unsigned>(random());
    auto const what = static_cast<Harm>(random() % 5);
    auto const when = std::chrono::milliseconds(random() % 60);
    std::vector<std::string> planned;
    add_planned(planned, tree, levels, "");
    spawns += planned.size();
    std::string const victim = planned[random() % planned.size()];
    auto const start = std::chrono::steady_clock::now();
    // in_root looks for what is left.
    static_cast<void>(support::thrown_by([&] {
      support::in_root({.log_level = tractor::LogLevel::off}, [&] {
        trio::CancelScope scope;
        static_cast<void>(scope.enter([&] {
          trio::open_nursery([&](trio::Nursery& nursery) {
            nursery.start_soon([&] {
              trio::sleep(when);
              if (what == Harm::cancel)
                scope.cancel("as planned");
              else if (what != Harm::none)
                harm(what, victim);
            });
            grow(tree, levels, "");
          });
        }));
      });
    }));
    CHECK(std::chrono::steady_clock::now() - start < 20s);
  }
}
