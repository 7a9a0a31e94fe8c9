// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <trio/run_var.hpp>

#include <memory>
#include <thread>
#include <utility>

using namespace support;
using trio::lowlevel::RunVar;

namespace {

RunVar<int> number;
RunVar<int> other_number;

}  // namespace

TEST_CASE("a RunVar has no value until it is set, in each run anew [L:10]") {
  for (int i = 0; i < 2; ++i)
    run([] {
      CHECK(number.get() == nullptr);
      number.set(std::make_shared<int>(7));
      REQUIRE(number.get());
      CHECK(*number.get() == 7);
      CHECK(other_number.get() == nullptr);
      number.set(nullptr);
      CHECK(number.get() == nullptr);
    });
}

TEST_CASE("all tasks of a run share a RunVar, whoever sets it") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      nursery.start_soon([] { number.set(std::make_shared<int>(7)); });
      nursery.join();
      CHECK(*number.get() == 7);
      auto const kept = number.share();
      nursery.start_soon([] { number.set(std::make_shared<int>(8)); });
      nursery.join();
      CHECK(*number.get() == 8);
      CHECK(*kept == 7);
    });
  });
}

TEST_CASE("runs in two threads have values of their own") {
  run([] {
    number.set(std::make_shared<int>(7));
    std::thread([] {
      run([] {
        CHECK(number.get() == nullptr);
        number.set(std::make_shared<int>(8));
      });
    }).join();
    CHECK(*number.get() == 7);
  });
}

TEST_CASE("reset undoes a set, once, and only of its own variable [L:50]") {
  run([] {
    auto first = number.set(std::make_shared<int>(7));
    auto second = number.set(std::make_shared<int>(8));
    CHECK_THROWS_AS(other_number.reset(second), trio::MisuseError);
    number.reset(second);
    CHECK(*number.get() == 7);
    CHECK_THROWS_AS(number.reset(second), trio::MisuseError);
    CHECK(*number.get() == 7);
    auto moved = std::move(first);
    CHECK_THROWS_AS(number.reset(first), trio::MisuseError);
    number.reset(moved);
    CHECK(number.get() == nullptr);
  });
}

TEST_CASE("values of a run are destroyed at its end, when its tasks are gone") {
  bool task_gone = false;
  bool destroyed_last = false;
  auto const value = [&] {
    return std::shared_ptr<int>(new int(7), [&](int* gone) {
      destroyed_last = task_gone;
      delete gone;
    });
  };
  run([&] {
    number.set(value());
    trio::lowlevel::spawn_system_task("late", [&] {
      AtEnd const end{[&] { task_gone = true; }};
      trio::sleep_forever();
    });
    trio::lowlevel::checkpoint();
  });
  CHECK(destroyed_last);
}

TEST_CASE("a RunVar needs a run [L:90]") {
  CHECK_THROWS_AS(number.get(), trio::MisuseError);
  CHECK_THROWS_AS(number.share(), trio::MisuseError);
  CHECK_THROWS_AS(number.set(nullptr), trio::MisuseError);
  std::unique_ptr<RunVar<int>::Token> token;
  run([&] { token = std::make_unique<RunVar<int>::Token>(number.set(nullptr)); });
  CHECK_THROWS_AS(number.reset(*token), trio::MisuseError);
}
