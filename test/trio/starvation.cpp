// SPDX-License-Identifier: BSL-1.0
// However busy the tasks: descriptors, deadlines and calls from outside get their turn. And however
// many switches: no system call each.
#include "support.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

using namespace std::chrono_literals;
using trio::lowlevel::checkpoint;
using trio::lowlevel::current_statistics;
using trio::lowlevel::wait_readable;

namespace {

// An eventfd that is readable.
class Readable {
 public:
  Readable() : fd_(eventfd(1, EFD_CLOEXEC)) {}

  Readable(Readable const&) = delete;
  Readable& operator=(Readable const&) = delete;

  ~Readable() { close(fd_); }

  int fd() const noexcept { return fd_; }

 private:
  int fd_;
};

long coarse_tick() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

// Computes until the kernel's coarse clock has moved on: 1 to 10 ms.
void compute_for_a_tick() {
  for (long const start = coarse_tick(); coarse_tick() == start;) {}
}

// How often `busy` tasks get to their checkpoint until a task has read a readable descriptor.
int turns_until_read(
    int busy, trio::RunOptions options, std::function<void()> compute = [] {}) {
  int turns = 0;
  trio::run(options, [&] {
    Readable const readable;
    bool done = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int i = 0; i < busy; ++i)
        nursery.start_soon([&] {
          while (!done) {
            compute();
            ++turns;
            checkpoint();
          }
        });
      nursery.start_soon([&] {
        wait_readable(readable.fd());
        done = true;
      });
    });
  });
  return turns;
}

// In which order 20 tasks take their first and second turns.
std::vector<int> order_of_turns(std::optional<std::uint64_t> seed) {
  std::vector<int> order;
  trio::RunOptions options;
  options.shuffle_seed = seed;
  trio::run(options, [&] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int i = 0; i < 20; ++i)
        nursery.start_soon([&order, i] {
          order.push_back(i);
          checkpoint();
          order.push_back(i);
        });
    });
  });
  return order;
}

}  // namespace

TEST_CASE("busy tasks starve no descriptor") {
  CHECK(turns_until_read(2, {}) <= 600);
  CHECK(turns_until_read(100, {}) <= 1000);
}

TEST_CASE("a busy task alone starves no descriptor") { CHECK(turns_until_read(1, {}) <= 600); }

TEST_CASE("busy tasks that compute long between checkpoints starve no descriptor") {
  CHECK(turns_until_read(1, {}, compute_for_a_tick) <= 5);
  CHECK(turns_until_read(2, {}, compute_for_a_tick) <= 8);
}

TEST_CASE("asked to poll in every pass, the loop does") {
  trio::RunOptions options;
  options.poll_every_pass = true;
  CHECK(turns_until_read(1, options) <= 3);
  CHECK(turns_until_read(10, options) <= 30);
  trio::run(options, [] {
    auto const before = current_statistics();
    for (int i = 0; i < 100; ++i) checkpoint();
    auto const after = current_statistics();
    CHECK(after.polls - before.polls >= 100);
    CHECK(after.steps - before.steps >= 100);
  });
}

TEST_CASE("busy tasks starve no descriptor again and again") {
  trio::run([] {
    Readable const readable;
    bool done = false;
    int turns = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int i = 0; i < 3; ++i)
        nursery.start_soon([&] {
          while (!done) {
            ++turns;
            checkpoint();
          }
        });
      for (int i = 0; i < 50; ++i) {
        turns = 0;
        wait_readable(readable.fd());
        CHECK(turns <= 1000);
      }
      done = true;
    });
  });
}

TEST_CASE("busy tasks do not delay a deadline: it takes effect in the pass that it is due in") {
  for (bool alone : {true, false}) {
    CAPTURE(alone);
    trio::testing::MockClock clock;
    trio::RunOptions options;
    options.clock = &clock;
    trio::run(options, [&] {
      bool stop = false;
      int late = 0;
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([&] {
          for (int second = 1; second <= 10; ++second) trio::sleep_until(trio::Time(second * 1s));
          static_cast<void>(trio::move_on_after(1s, [] { trio::sleep_forever(); }));
          stop = true;
        });
        if (!alone)
          nursery.start_soon([&] {
            while (!stop) checkpoint();
          });
        checkpoint();
        while (!stop && late < 100) {
          clock.jump(1s);
          checkpoint();
          checkpoint();
          ++late;
        }
      });
      CHECK(late <= 12);
    });
  }
}

TEST_CASE("a busy task is cut short by its own deadline") {
  trio::testing::MockClock clock;
  trio::RunOptions options;
  options.clock = &clock;
  trio::run(options, [&] {
    int turns = 0;
    auto const outcome = trio::move_on_after(10s, [&] {
      for (;; ++turns) {
        clock.jump(1s);
        checkpoint();
      }
    });
    CHECK(outcome.cut_short);
    CHECK(turns == 9);
  });
}

TEST_CASE("busy tasks starve no call from outside") {
  for (int busy : {1, 10}) {
    CAPTURE(busy);
    trio::run([&] {
      bool called = false;
      int turns = 0;
      trio::lowlevel::current_trio_token().run_sync_soon([&] { called = true; });
      trio::open_nursery([&](trio::Nursery& nursery) {
        for (int i = 0; i < busy; ++i)
          nursery.start_soon([&] {
            while (!called) {
              ++turns;
              checkpoint();
            }
          });
      });
      CHECK(turns <= 3 * busy);
    });
  }
}

TEST_CASE("tasks that start tasks without end starve neither descriptors nor others") {
  trio::run([] {
    Readable const readable;
    bool done = false;
    int born = 0;
    std::function<void(trio::Nursery&)> const breed = [&](trio::Nursery& nursery) {
      ++born;
      if (!done) nursery.start_soon(std::ref(breed), std::ref(nursery));
    };
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon(std::ref(breed), std::ref(nursery));
      wait_readable(readable.fd());
      done = true;
    });
    CHECK(born <= 1000);
  });
}

TEST_CASE("tasks take turns: a pass runs each once, and who comes meanwhile waits for the next") {
  std::vector<int> turns(5, 0);
  trio::run([&] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (std::size_t i = 0; i < turns.size(); ++i)
        nursery.start_soon([&, i] {
          for (int turn = 0; turn < 100; ++turn) {
            ++turns[i];
            auto const [least, most] = std::minmax_element(turns.begin(), turns.end());
            CHECK(*most - *least <= 1);
            checkpoint();
          }
        });
    });
  });
}

TEST_CASE("without a seed, tasks run first come first served") {
  std::vector<int> order = order_of_turns(std::nullopt);
  REQUIRE(order.size() == 40);
  std::vector<int> expected(20);
  std::iota(expected.begin(), expected.end(), 0);
  CHECK(std::equal(expected.begin(), expected.end(), order.begin()));
  CHECK(std::equal(expected.begin(), expected.end(), order.begin() + 20));
}

TEST_CASE("the same seed gives the same order, another seed another") {
  auto const one = order_of_turns(1);
  CHECK(one == order_of_turns(1));
  CHECK(order_of_turns(0) == order_of_turns(0));
  CHECK(one != order_of_turns(2));
  CHECK(one != order_of_turns(std::nullopt));
  CHECK(order_of_turns(0) != order_of_turns(std::nullopt));
}

TEST_CASE("a shuffled pass still runs each task once") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    auto order = order_of_turns(seed);
    REQUIRE(order.size() == 40);
    std::sort(order.begin(), order.begin() + 20);
    std::sort(order.begin() + 20, order.end());
    for (int i = 0; i < 20; ++i) {
      CHECK(order[static_cast<std::size_t>(i)] == i);
      CHECK(order[static_cast<std::size_t>(i) + 20] == i);
    }
  }
}

TEST_CASE("a shuffled run shuffles each pass anew") {
  auto const order = order_of_turns(5);
  CHECK(!std::equal(order.begin(), order.begin() + 20, order.begin() + 20));
}

TEST_CASE("switching between tasks costs no system call") {
  trio::run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      auto const before = current_statistics();
      auto const spin = [] {
        for (int i = 0; i < 10'000; ++i) checkpoint();
      };
      nursery.start_soon(spin);
      nursery.start_soon(spin);
      nursery.join();
      auto const after = current_statistics();
      CHECK(after.steps - before.steps >= 20'000);
      CHECK(after.polls - before.polls <= 2);
    });
  });
}

TEST_CASE("with a descriptor to watch, a system call serves many switches") {
  trio::run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      int const silent = eventfd(0, EFD_CLOEXEC);
      nursery.start_soon([&] { wait_readable(silent); });
      auto const before = current_statistics();
      auto const spin = [] {
        for (int i = 0; i < 50'000; ++i) checkpoint();
      };
      trio::open_nursery([&](trio::Nursery& spinners) {
        spinners.start_soon(spin);
        spinners.start_soon(spin);
      });
      auto const after = current_statistics();
      CHECK(after.steps - before.steps >= 100'000);
      // One in 256 steps, and one a tick of the kernel's clock.
      CHECK((after.polls - before.polls) * 20 <= after.steps - before.steps);
      CHECK(after.polls - before.polls >= 100'000 / 257);
      nursery.cancel_scope().cancel();
      nursery.join();
      close(silent);
    });
  });
}

TEST_CASE("a checkpoint where nobody else is ready costs neither a switch nor a system call") {
  trio::run([] {
    trio::testing::wait_all_tasks_blocked();
    auto const before = current_statistics();
    for (int i = 0; i < 10'000; ++i) checkpoint();
    for (int i = 0; i < 10'000; ++i) trio::lowlevel::cancel_shielded_checkpoint();
    auto const after = current_statistics();
    CHECK(after.steps == before.steps);
    CHECK(after.polls == before.polls);
  });
}

TEST_CASE("a checkpoint that costs no switch still counts as one") {
  trio::run([] {
    trio::testing::wait_all_tasks_blocked();
    trio::testing::assert_checkpoints([] { checkpoint(); });
  });
}
