// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <exception>
#include <string>
#include <vector>

#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

using namespace support;
using trio::lowlevel::checkpoint;
using trio::lowlevel::current_statistics;
using trio::lowlevel::current_task;
using trio::testing::wait_all_tasks_blocked;

namespace {

using Tasks = std::vector<trio::Task*>;
using Nurseries = std::vector<trio::Nursery*>;

std::string own_name() { return current_task().name(); }

void tells_name(std::string& name) { name = own_name(); }

void reports_name(trio::TaskStatus<std::string>& status) { status.started(own_name()); }

std::string main_of_values() { return own_name(); }

struct Diligent {
  void operator()(std::string& name) const { name = own_name(); }
};

struct Patient {
  void operator()(trio::TaskStatus<std::string>& status) const { status.started(own_name()); }
};

bool contains(std::string const& text, char const* part) {
  CHECK_MESSAGE(text.find(part) != std::string::npos, text);
  return text.find(part) != std::string::npos;
}

}  // namespace

void exported_for_its_name(std::string& name);

void exported_for_its_name(std::string& name) { name = own_name(); }

TEST_CASE("a task has the name it was given") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      nursery.start_soon({.name = "worker 7"}, [] { CHECK(own_name() == "worker 7"); });
    });
  });
}

TEST_CASE("a task without a name has one made from its function [R:1802]") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      std::string name;
      nursery.start_soon(Diligent(), std::ref(name));
      nursery.join();
      CHECK(contains(name, "Diligent"));
      nursery.start_soon([&] { name = own_name(); });
      nursery.join();
      CHECK(contains(name, "lambda"));
      CHECK(contains(nursery.start<std::string>(Patient()), "Patient"));
      CHECK_FALSE(own_name().empty());
    });
  });
}

TEST_CASE("a task that runs a plain function has the function's own name") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      std::string name;
      nursery.start_soon(tells_name, std::ref(name));
      nursery.join();
      CHECK(name.find("(anonymous namespace)::tells_name(") == 0);
      name = nursery.start(reports_name);
      CHECK(name.find("(anonymous namespace)::reports_name(") == 0);
      nursery.start_soon(exported_for_its_name, std::ref(name));
      nursery.join();
      CHECK(name.find("exported_for_its_name(") == 0);
      // From a shared library, by a symbol that it exports.
      nursery.start_soon(tzset);
      CHECK(nursery.child_tasks().back()->name() == "tzset");
    });
  });
  CHECK(trio::run(main_of_values).find("(anonymous namespace)::main_of_values") == 0);
  CHECK(trio::run(&main_of_values).find("(anonymous namespace)::main_of_values") == 0);
  std::string name;
  trio::run(tells_name, std::ref(name));
  CHECK(name.find("(anonymous namespace)::tells_name(") == 0);
  // As the compiler calls it: gcc's {lambda()#1} or clang's $_1.
  name = trio::run([] { return own_name(); });
  CHECK((name.find("lambda") != std::string::npos || name.find("$_") != std::string::npos));
}

TEST_CASE("a task keeps its name while its arguments are destroyed") {
  struct Tells {
    explicit Tells(std::string& name) : told(&name) {}

    Tells(Tells&& other) noexcept : told(std::exchange(other.told, nullptr)) {}

    Tells& operator=(Tells&&) = delete;

    ~Tells() {
      if (told) *told = own_name();
    }

    std::string* told;
  };

  run([] {
    std::string name;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon(
          {.name = "named"}, [](Tells const&) {}, Tells(name));
      nursery.join();
      CHECK(name == "named");
      nursery.start_soon([](Tells const&) {}, Tells(name));
      nursery.join();
      CHECK(contains(name, "lambda"));
    });
  });
}

TEST_CASE("in_task() and current_task() tell who is running") {
  run([] {
    CHECK(trio::lowlevel::in_task());
    trio::Task& main = current_task();
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { CHECK(&current_task() != &main); });
      checkpoint();
      CHECK(&current_task() == &main);
    });
  });
}

TEST_CASE("every task leads up to the root task, which has no nursery [R:1713]") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        CHECK(current_task().parent_nursery() == &nursery);
        trio::Task* task = &current_task();
        int levels = 0;
        for (; task->parent_nursery() && levels < 100; ++levels)
          task = &task->parent_nursery()->parent_task();
        CHECK(task == &trio::lowlevel::current_root_task());
        CHECK(levels >= 2);
      });
    });
    CHECK(trio::lowlevel::current_root_task().parent_nursery() == nullptr);
    CHECK(trio::lowlevel::current_root_task().child_nurseries().size() > 0);
  });
}

TEST_CASE("a task lists its open nurseries, outermost first [R:1713]") {
  run([] {
    trio::Task& task = current_task();
    CHECK(task.child_nurseries().empty());
    trio::open_nursery([&](trio::Nursery& outer) {
      CHECK(&outer.parent_task() == &task);
      CHECK(task.child_nurseries() == Nurseries{&outer});
      trio::open_nursery([&](trio::Nursery& inner) {
        CHECK(task.child_nurseries() == Nurseries{&outer, &inner});
        inner.start_soon([&] { CHECK(current_task().child_nurseries().empty()); });
      });
      CHECK(task.child_nurseries() == Nurseries{&outer});
    });
    CHECK(task.child_nurseries().empty());
    static_cast<void>(
        thrown_by([] { trio::open_nursery([](trio::Nursery&) { throw KeyError(); }); }));
    CHECK(task.child_nurseries().empty());
  });
}

TEST_CASE("a nursery lists its tasks in the order of arrival") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      CHECK(nursery.child_tasks().empty());
      Tasks tasks;
      for (int i = 1; i <= 3; ++i)
        nursery.start_soon([&tasks, i] {
          tasks.push_back(&current_task());
          trio::sleep(std::chrono::seconds(i));
        });
      CHECK(nursery.child_task_count() == 3);
      wait_all_tasks_blocked();
      CHECK(nursery.child_tasks() == tasks);
      trio::sleep_until(trio::after(trio::Time(), 1500ms));
      CHECK(nursery.child_task_count() == 2);
      CHECK(nursery.child_tasks() == Tasks{tasks[1], tasks[2]});
      nursery.join();
      CHECK(nursery.child_task_count() == 0);
      CHECK(nursery.child_tasks().empty());
    });
  });
}

TEST_CASE("a task under start() knows the nursery it will move to [R:1713]") {
  run([] {
    trio::Task& parent = current_task();
    trio::open_nursery([&](trio::Nursery& nursery) {
      trio::Task* child = nullptr;
      nursery.start([&](trio::TaskStatus<void>& status) {
        child = &current_task();
        trio::Nursery* before = child->parent_nursery();
        REQUIRE(before);
        CHECK(before != &nursery);
        CHECK(&before->parent_task() == &parent);
        CHECK(parent.child_nurseries() == Nurseries{&nursery, before});
        CHECK(before->child_tasks() == Tasks{child});
        CHECK(nursery.child_tasks().empty());
        CHECK(child->eventual_parent_nursery() == &nursery);
        status.started();
        CHECK(child->parent_nursery() == &nursery);
        CHECK(child->eventual_parent_nursery() == nullptr);
        wait_all_tasks_blocked();
        CHECK(parent.child_nurseries() == Nurseries{&nursery});
        trio::open_nursery([&](trio::Nursery& own) {
          trio::Task* grandchild = nullptr;
          own.start_soon([&] {
            grandchild = &current_task();
            CHECK(grandchild->parent_nursery() == &own);
            CHECK(own.child_tasks() == Tasks{grandchild});
            CHECK(child->child_nurseries() == Nurseries{&own});
            CHECK(nursery.child_tasks() == Tasks{child});
          });
          own.join();
        });
      });
      nursery.join();
    });
  });
}

TEST_CASE("a task started by start_soon will move nowhere") {
  run([] {
    CHECK(current_task().eventual_parent_nursery() == nullptr);
    trio::open_nursery([](trio::Nursery& nursery) {
      nursery.start_soon([] { CHECK(current_task().eventual_parent_nursery() == nullptr); });
    });
  });
}

TEST_CASE("the statistics count tasks that live and tasks that are ready [R:307]") {
  run([] {
    wait_all_tasks_blocked();
    auto const before = current_statistics();
    CHECK(before.tasks_runnable == 0);
    CHECK(before.run_sync_soon_queue == 0);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon(trio::sleep_forever);
      CHECK(current_statistics().tasks_living == before.tasks_living + 1);
      CHECK(current_statistics().tasks_runnable == 1);
      wait_all_tasks_blocked();
      CHECK(current_statistics().tasks_living == before.tasks_living + 1);
      CHECK(current_statistics().tasks_runnable == 0);
      nursery.cancel_scope().cancel();
      CHECK(current_statistics().tasks_runnable == 1);
    });
    CHECK(current_statistics().tasks_living == before.tasks_living);
  });
}

TEST_CASE("tasks that are still to run in this pass count as ready") {
  run([] {
    wait_all_tasks_blocked();
    trio::open_nursery([](trio::Nursery& nursery) {
      std::vector<std::size_t> ready;
      for (int i = 0; i < 3; ++i)
        nursery.start_soon([&] { ready.push_back(current_statistics().tasks_runnable); });
      nursery.join();
      CHECK(ready == std::vector<std::size_t>{2, 1, 0});
    });
  });
}

TEST_CASE("the statistics tell of the next deadline [R:307]") {
  run([](trio::testing::MockClock& clock) {
    CHECK(current_statistics().deadlines == 0);
    CHECK(current_statistics().until_next_deadline ==
          trio::Duration(std::chrono::nanoseconds::max()));
    auto late = trio::CancelScope::after(10s);
    auto soon = trio::CancelScope::after(5s);
    within(late, [&] {
      within(soon, [&] {
        CHECK(current_statistics().deadlines == 2);
        CHECK(current_statistics().until_next_deadline == trio::Duration(5s));
        clock.jump(2s);
        CHECK(current_statistics().until_next_deadline == trio::Duration(3s));
      });
      CHECK(current_statistics().until_next_deadline == trio::Duration(8s));
      clock.jump(10s);
      CHECK(current_statistics().until_next_deadline == trio::Duration(-2s));
    });
  });
}

TEST_CASE("a sleeping task is counted with the deadlines") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      nursery.start_soon([] { trio::sleep(7s); });
      wait_all_tasks_blocked();
      CHECK(current_statistics().deadlines == 1);
      CHECK(current_statistics().until_next_deadline == trio::Duration(7s));
    });
  });
}

TEST_CASE("the statistics count what is queued from outside [R:307]") {
  run([] {
    auto const token = trio::lowlevel::current_trio_token();
    token.run_sync_soon([] {});
    token.run_sync_soon([] {}, &token);
    token.run_sync_soon([] {}, &token);
    CHECK(current_statistics().run_sync_soon_queue == 2);
    wait_all_tasks_blocked();
    CHECK(current_statistics().run_sync_soon_queue == 0);
  });
}

TEST_CASE("the statistics count threads, and tasks that wait for descriptors [R:307]") {
  trio::run([] {
    int const fd = eventfd(0, EFD_CLOEXEC);
    CHECK(current_statistics().threads == 0);
    CHECK(current_statistics().tasks_waiting_for_descriptors == 0);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { trio::lowlevel::wait_readable(fd); });
      wait_all_tasks_blocked();
      CHECK(current_statistics().tasks_waiting_for_descriptors == 1);
      trio::to_thread::run([] {});
      CHECK(current_statistics().threads == 1);
      nursery.cancel_scope().cancel();
    });
    CHECK(current_statistics().tasks_waiting_for_descriptors == 0);
    close(fd);
  });
}

TEST_CASE("the statistics count steps, polls and stacks") {
  run([] {
    auto const before = current_statistics();
    trio::open_nursery([](trio::Nursery& nursery) {
      for (int i = 0; i < 50; ++i) nursery.start_soon(trio::sleep_forever);
      wait_all_tasks_blocked();
      nursery.cancel_scope().cancel();
    });
    auto const after = current_statistics();
    CHECK(after.steps >= before.steps + 100);
    CHECK(after.polls > before.polls);
    CHECK(after.stacks >= 50);
    CHECK(after.stacks <= 60);
  });
}
