// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <chrono>
#include <csignal>
#include <cstddef>
#include <iterator>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using support::group_thrown_by;
using support::in_root;
using support::thrown_by;
using tractor::MapProgress;
using tractor::WorkerPool;

namespace {

int square(int number) { return number * number; }

int add(int a, int b) { return a + b; }

trio::Event released;

void release() { released.set(); }

// 0 waits for release().
int hold(int number) {
  if (number == 0) released.wait();
  return number;
}

int seen = 0;

void see(int number) { seen += number; }

int has_seen() { return seen; }

int fail_at_3(int number) {
  if (number == 3) throw std::domain_error("three");
  if (number > 3) trio::sleep_forever();
  return number;
}

int die(int number) {
  std::raise(SIGKILL);
  return number;
}

std::string own_name() { return tractor::current_actor().name(); }

template <class Body> void with_pool(std::size_t count, Body body) {
  in_root([&] {
    tractor::open_worker_pool<square, add, hold, release, see, has_seen, fail_at_3, die>(
        {.count = count}, body);
  });
}

void release_all(WorkerPool const& pool) {
  for (tractor::Portal const& worker : pool.workers()) worker.run<release>();
}

// The numbers from 0 on; counts those that were taken.
struct Numbers {
  int count;
  int taken = 0;

  struct Iterator {
    Numbers* numbers;
    int number = 0;

    int operator*() const {
      ++numbers->taken;
      return number;
    }

    Iterator& operator++() {
      ++number;
      return *this;
    }

    bool operator==(std::default_sentinel_t) const { return number == numbers->count; }
  };

  Iterator begin() { return {this}; }

  std::default_sentinel_t end() const { return {}; }
};

}  // namespace

TEST_CASE("map returns the results in the order of the elements, which may be several arguments") {
  with_pool(3, [](WorkerPool const& pool) {
    CHECK(pool.size() == 3);
    CHECK(pool.map<square>(std::vector{1, 2, 3, 4, 5}) == std::vector{1, 4, 9, 16, 25});
    CHECK(pool.map<add>(std::vector<std::pair<int, int>>{{1, 2}, {3, 4}}) == std::vector{3, 7});
    CHECK(pool.map<add>(std::vector<std::tuple<int, int>>{{1, 2}}) == std::vector{3});
    CHECK(pool.map<square>(std::vector<int>()).empty());
    std::map<int, int> squares;
    pool.map<square>(Numbers{50}, [&](int number, int result) { squares[number] = result; });
    CHECK(squares.size() == 50);
    CHECK(squares[49] == 2401);
  });
}

TEST_CASE("a function without a result is mapped for what it does, by all the workers") {
  with_pool(2, [](WorkerPool const& pool) {
    int elements = 0;
    pool.map_unordered<see>(std::vector{1, 2, 3}, [&](int) { ++elements; });
    CHECK(elements == 3);
    int sum = 0;
    for (tractor::Portal const& worker : pool.workers()) sum += worker.run<has_seen>();
    CHECK(sum == 6);
  });
}

TEST_CASE("results wait for their turn, and the range is not taken further ahead than it may be") {
  with_pool(2, [](WorkerPool const& pool) {
    Numbers numbers{8};
    std::vector<int> results;
    std::vector<int> taken;
    int reports = 0;
    auto const report = [&](MapProgress const& progress) {
      // 1, 2 and 3 are done, 0 is at work; the other worker has time to go further, if it may.
      if (progress.done < 3 || ++reports != 20) return;
      CHECK(progress.running == 1);
      CHECK(results.empty());
      taken.push_back(numbers.taken);
      release_all(pool);
    };
    pool.map<hold>(numbers, [&](int, int result) { results.push_back(result); },
                   {.ahead = 4, .progress = report, .every = 1ms});
    CHECK(taken == std::vector{4});
    CHECK(results == std::vector{0, 1, 2, 3, 4, 5, 6, 7});
  });
}

TEST_CASE("an element is worked on before the range has the next one") {
  with_pool(1, [](WorkerPool const& pool) {
    auto numbers = trio::open_memory_channel<int>(1);
    numbers.sender.send(1);
    std::vector<int> results;
    trio::fail_after(5s, [&] {
      pool.map<square>(numbers.receiver, [&](int, int result) {
        results.push_back(result);
        if (results.size() < 3)
          numbers.sender.send(result + 1);
        else
          numbers.sender.close();
      });
    });
    CHECK(results == std::vector{1, 4, 25});
  });
}

TEST_CASE("an unordered map gives what is there") {
  with_pool(2, [](WorkerPool const& pool) {
    std::vector<int> results;
    pool.map_unordered<hold>(std::vector{0, 1, 2, 3}, [&](int, int result) {
      results.push_back(result);
      if (results.size() == 3) release_all(pool);
    });
    CHECK(results == std::vector{1, 2, 3, 0});
  });
}

TEST_CASE("work that takes long shows that it goes on") {
  with_pool(1, [](WorkerPool const& pool) {
    std::vector<MapProgress> reports;
    auto const report = [&](MapProgress const& progress) {
      // The first ones may come before the worker has begun.
      if (progress.running == 0 && progress.done == 0) return;
      reports.push_back(progress);
      // By another call, to the worker that is busy.
      if (reports.size() == 1) release_all(pool);
    };
    auto const results = pool.map<hold>(std::vector{0}, {.progress = report, .every = 1ms});
    CHECK(results == std::vector{0});
    REQUIRE(reports.size() >= 2);
    CHECK(reports.front().done == 0);
    CHECK(reports.front().running == 1);
    CHECK(reports.back().done == 1);
    CHECK(reports.back().running == 0);
    CHECK_THROWS_AS(pool.map<hold>(std::vector{0}, {.every = 0s}), std::invalid_argument);
  });
}

TEST_CASE("the first error cancels what is at work and is thrown in a group; the pool goes on") {
  with_pool(2, [](WorkerPool const& pool) {
    auto const group = group_thrown_by([&] { pool.map<fail_at_3>(Numbers{100}); });
    auto const errors = group.find<tractor::RemoteActorError>();
    REQUIRE(errors);
    CHECK(std::string(errors->what()).find("three") != std::string::npos);
    CHECK(pool.map<square>(std::vector{2}) == std::vector{4});
    for (tractor::Portal const& worker : pool.workers()) CHECK(worker.open_calls() == 0);
  });
}

TEST_CASE("a cancelled map cancels what is at work") {
  with_pool(2, [](WorkerPool const& pool) {
    trio::CancelScope scope;
    static_cast<void>(scope.enter([&] {
      pool.map_unordered<hold>(std::vector{0, 1}, [&](int, int) { scope.cancel(); });
    }));
    CHECK(scope.cancelled_caught());
    for (tractor::Portal const& worker : pool.workers()) CHECK(worker.open_calls() == 0);
  });
}

TEST_CASE("a worker that dies ends the map") {
  in_root([] {
    auto const group = group_thrown_by([] {
      tractor::open_worker_pool<die>({.count = 2}, [](WorkerPool const& pool) {
        pool.map<die>(std::vector{1, 2, 3});
      });
    });
    CHECK(group.find<tractor::ActorDied>());
  });
}

TEST_CASE("a cluster has actors by name, all ended when its body is left") {
  in_root([] {
    std::vector<std::string> const names{"ann", "bob", "cid"};
    auto const told = tractor::open_actor_cluster(
        tractor::expose<own_name>, {.names = names}, [](tractor::ActorCluster const& cluster) {
          std::vector<std::string> own;
          for (auto const& [name, portal] : cluster) {
            own.push_back(portal.run<own_name>());
            CHECK(name == own.back());
          }
          CHECK(cluster["bob"].run<own_name>() == "bob");
          CHECK(trio::exception_cast<std::out_of_range>(thrown_by([&] { (void)cluster["dan"]; })));
          return own;
        });
    CHECK(told == names);
  });
}

TEST_CASE("the actors of a cluster without names are called after their parent") {
  in_root([] {
    tractor::open_actor_cluster(
        tractor::expose<own_name>, {.count = 2}, [](tractor::ActorCluster const& cluster) {
          CHECK(cluster.size() == 2);
          auto const parent = tractor::current_actor().name();
          for (std::string const worker : {".worker_0", ".worker_1"})
            CHECK(cluster[parent + worker].run<own_name>() == parent + worker);
        });
  });
}

TEST_CASE("a cluster whose names do not fit its count is refused") {
  in_root([] {
    auto const open = [](tractor::ClusterOptions const& options) {
      return thrown_by([&] {
        tractor::open_actor_cluster(tractor::expose<own_name>, options,
                                    [](tractor::ActorCluster const&) { FAIL("it was opened"); });
      });
    };
    CHECK(trio::exception_cast<std::invalid_argument>(open({.count = 3, .names = {"a", "b"}})));
    CHECK(trio::exception_cast<std::invalid_argument>(open({.names = {"a", "a"}})));
  });
}
