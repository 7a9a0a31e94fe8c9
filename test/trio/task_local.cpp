// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using support::run;
using trio::lowlevel::checkpoint;
using trio::testing::wait_all_tasks_blocked;

namespace {

trio::TaskLocal<std::string> const color;
trio::TaskLocal<int> const number;

void set(std::string value) { color.set(std::make_shared<std::string>(std::move(value))); }

std::string get() { return color.get() ? *color.get() : "none"; }

}  // namespace

TEST_CASE("a task-local value is null until it is set") {
  run([] {
    CHECK(color.get() == nullptr);
    CHECK(color.share() == nullptr);
    set("red");
    CHECK(get() == "red");
    set("blue");
    CHECK(get() == "blue");
    color.set(nullptr);
    CHECK(color.get() == nullptr);
  });
}

TEST_CASE("a task starts with the values that its starter had just then") {
  run([] {
    set("red");
    std::vector<std::string> seen;
    trio::open_nursery([&](trio::Nursery& nursery) {
      auto const look = [&] { seen.push_back(get()); };
      nursery.start_soon(look);
      set("blue");
      nursery.start_soon(look);
      set("green");
    });
    CHECK(seen == std::vector<std::string>{"red", "blue"});
  });
}

TEST_CASE("what a task sets is seen by itself and the tasks it starts, by no other") {
  run([] {
    set("red");
    trio::open_nursery([&](trio::Nursery& nursery) {
      trio::Event changed;
      nursery.start_soon([&] {
        set("blue");
        changed.set();
        trio::open_nursery([](trio::Nursery& inner) {
          inner.start_soon([] {
            CHECK(get() == "blue");
            set("green");
          });
        });
        CHECK(get() == "blue");
      });
      nursery.start_soon([&] {
        changed.wait();
        CHECK(get() == "red");
      });
      nursery.join();
      CHECK(get() == "red");
    });
  });
}

TEST_CASE("a task inherits from the task that starts it, not from the nursery's opener") {
  run([] {
    set("opener");
    trio::open_nursery([](trio::Nursery& nursery) {
      nursery.start_soon([&nursery] {
        set("starter");
        nursery.start_soon([] { CHECK(get() == "starter"); });
      });
    });
  });
}

TEST_CASE("a task under start() inherits from the caller and keeps its values when it moves on") {
  run([] {
    set("caller");
    trio::open_nursery([](trio::Nursery& nursery) {
      std::string const seen = nursery.start([](trio::TaskStatus<std::string>& status) {
        std::string const inherited = get();
        set("own");
        status.started(inherited);
        checkpoint();
        CHECK(get() == "own");
      });
      CHECK(seen == "caller");
      CHECK(get() == "caller");
    });
  });
}

TEST_CASE("each variable has its own value") {
  run([] {
    set("red");
    CHECK(number.get() == nullptr);
    number.set(std::make_shared<int>(5));
    CHECK(*number.get() == 5);
    CHECK(get() == "red");
    number.set(nullptr);
    CHECK(get() == "red");
  });
}

TEST_CASE("values survive parks and run loops of others") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      for (int i = 0; i < 5; ++i)
        nursery.start_soon([i] {
          number.set(std::make_shared<int>(i));
          for (int round = 0; round < 5; ++round) {
            trio::sleep(1s);
            CHECK(*number.get() == i);
          }
        });
    });
  });
}

TEST_CASE("tasks that inherit a value share the object") {
  run([] {
    auto const value = std::make_shared<int>(1);
    number.set(value);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        CHECK(number.get() == value.get());
        ++*number.get();
      });
    });
    CHECK(*value == 2);
    CHECK(number.share() == value);
  });
}

TEST_CASE("a value lives until the last task that has it is gone, and no longer") {
  auto value = std::make_shared<int>(1);
  std::weak_ptr<int> const watch = value;
  run([&] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      trio::Event end;
      nursery.start_soon([&] {
        number.set(std::move(value));
        nursery.start_soon([&] { end.wait(); });
      });
      wait_all_tasks_blocked();
      CHECK(nursery.child_task_count() == 1);
      CHECK(!watch.expired());
      end.set();
      nursery.join();
      CHECK(watch.expired());
    });
  });
}

TEST_CASE("a run starts without values and leaves none") {
  run([] { set("red"); });
  run([] { CHECK(get() == "none"); });
}

TEST_CASE("outside of tasks there is nothing to get, and nothing can be set") {
  CHECK(color.get() == nullptr);
  CHECK(color.share() == nullptr);
  CHECK_THROWS_AS(set("red"), trio::MisuseError);
  run([] {
    set("red");
    std::thread([] {
      CHECK(color.get() == nullptr);
      CHECK_THROWS_AS(set("blue"), trio::MisuseError);
    }).join();
    CHECK(get() == "red");
  });
}

TEST_CASE("a system task starts with the values of the task that starts it") {
  run([] {
    set("red");
    std::string seen;
    trio::lowlevel::spawn_system_task("system", [&] { seen = get(); });
    wait_all_tasks_blocked();
    CHECK(seen == "red");
  });
}

TEST_CASE("calls from run_sync_soon do not see the caller's values") {
  run([] {
    set("red");
    std::string seen;
    trio::lowlevel::current_trio_token().run_sync_soon([&] { seen = get(); });
    wait_all_tasks_blocked();
    CHECK(seen == "none");
  });
}
