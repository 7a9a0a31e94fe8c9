// SPDX-License-Identifier: BSL-1.0
#include "child_process.hpp"
#include "support.hpp"

#include <functional>
#include <string>
#include <utility>
#include <vector>

using namespace support;
using trio::lowlevel::add_instrument;
using trio::lowlevel::checkpoint;
using trio::lowlevel::remove_instrument;

namespace {

using Record = std::vector<std::pair<std::string, trio::Task*>>;

struct Recorder : trio::Instrument {
  void before_run() override { record.emplace_back("before_run", nullptr); }

  void after_run() override { record.emplace_back("after_run", nullptr); }

  void task_scheduled(trio::Task& task) override { record.emplace_back("scheduled", &task); }

  void before_task_step(trio::Task& task) override { record.emplace_back("before", &task); }

  void after_task_step(trio::Task& task) override { record.emplace_back("after", &task); }

  Record of(trio::Task const* task) const {
    Record own;
    for (auto const& entry : record)
      if (entry.second == task || !entry.second) own.push_back(entry);
    return own;
  }

  Record record;
};

trio::RunOptions with(std::vector<trio::Instrument*> instruments) {
  trio::RunOptions options;
  options.instruments = std::move(instruments);
  return options;
}

}  // namespace

TEST_CASE("an instrument is told of each step of a task, in order [I:46]") {
  Recorder first, second, third;
  trio::Task* task = nullptr;
  trio::run(with({&first, &second}), [&] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        task = &trio::lowlevel::current_task();
        for (int i = 0; i < 4; ++i) checkpoint();
        remove_instrument(second);
        CHECK_THROWS_AS(remove_instrument(second), trio::MisuseError);
        add_instrument(third);
        add_instrument(third);
        checkpoint();
      });
    });
  });
  Record expected = {{"before_run", nullptr}, {"scheduled", task}};
  for (int i = 0; i < 5; ++i) {
    expected.emplace_back("before", task);
    expected.emplace_back("scheduled", task);
    expected.emplace_back("after", task);
  }
  for (char const* last : {"before", "after"}) expected.emplace_back(last, task);
  expected.emplace_back("after_run", nullptr);
  CHECK((first.of(task) == expected));
  Record both = second.record;
  both.insert(both.end(), third.record.begin(), third.record.end());
  CHECK((first.record == both));
}

TEST_CASE("spawns, exits and waits for input are told too, each once") {
  struct Counter : trio::Instrument {
    void task_spawned(trio::Task& task) override {
      spawned.push_back(task.name());
      CHECK_FALSE(runs);
    }

    void task_exited(trio::Task& task) override { exited.push_back(task.name()); }

    void before_io_wait(trio::Duration) override {
      CHECK_FALSE(std::exchange(waits, true));
      ++visits;
    }

    void after_io_wait(trio::Duration) override { CHECK(std::exchange(waits, false)); }

    void after_run() override {
      runs = true;
      CHECK(spawned.size() == exited.size());
    }

    Log spawned, exited;
    bool waits = false;
    bool runs = false;
    int visits = 0;
  } counter;

  trio::RunOptions options = with({&counter});
  trio::testing::MockClock clock = trio::testing::MockClock::autojumping();
  options.clock = &clock;
  trio::run(options, [&] {
    trio::open_nursery([](trio::Nursery& nursery) {
      nursery.start_soon({.name = "child"}, [] { trio::sleep(1s); });
    });
    CHECK(counter.spawned.back() == "child");
    CHECK(counter.exited == Log{"child"});
  });
  CHECK(counter.visits > 0);
}

TEST_CASE("which hooks are in a task [I:271]") {
  struct Asker : trio::Instrument {
    static bool in_run() { return thrown_by(trio::current_time) == nullptr; }

    static bool in_task() { return trio::lowlevel::in_task(); }

    void before_run() override { CHECK((in_run() && !in_task())); }

    void after_run() override { CHECK((in_run() && !in_task())); }

    void before_io_wait(trio::Duration) override { CHECK((in_run() && !in_task())); }

    void after_io_wait(trio::Duration) override { CHECK((in_run() && !in_task())); }

    void task_exited(trio::Task&) override { CHECK((in_run() && !in_task())); }

    void before_task_step(trio::Task& task) override {
      CHECK(&trio::lowlevel::current_task() == &task);
    }

    void after_task_step(trio::Task& task) override {
      CHECK(&trio::lowlevel::current_task() == &task);
    }
  } asker;

  trio::run(with({&asker}), [] { trio::sleep(1us); });
}

namespace {

struct Failing : trio::Instrument {
  void task_scheduled(trio::Task&) override {
    ++calls;
    throw KeyError("no more");
  }

  int calls = 0;
};

}  // namespace

TEST_CASE("hidden: an instrument throws" * doctest::skip()) {
  Failing failing;
  Recorder other;
  trio::run(with({&failing, &other}), [&] {
    checkpoint();
    CHECK_THROWS_AS(remove_instrument(failing), trio::MisuseError);
  });
  CHECK(failing.calls == 1);
  CHECK(other.record.back().first == "after_run");
}

TEST_CASE("an instrument that throws is reported and taken out, and nobody else notices [I:183]") {
  auto const ending = run_hidden_case("hidden: an instrument throws");
  CHECK(ending.exit_code == 0);
  CHECK(ending.says("trio: an instrument ((anonymous namespace)::Failing) has thrown and was"));
  CHECK(ending.says("no more"));
}

TEST_CASE("instruments may be added and removed by hooks") {
  struct Once : trio::Instrument {
    void before_task_step(trio::Task&) override {
      ++calls;
      remove_instrument(*this);
      add_instrument(*next);
    }

    int calls = 0;
    trio::Instrument* next = nullptr;
  } once;

  Recorder next;
  once.next = &next;
  trio::run(with({&once}), [] { checkpoint(); });
  CHECK(once.calls == 1);
  // The first task starts the main task.
  CHECK(next.record.front().first == "scheduled");
}

TEST_CASE("an instrument that waits is refused") {
  struct Waiter : trio::Instrument {
    void before_task_step(trio::Task&) override { refused += refuses(checkpoint); }

    void task_scheduled(trio::Task&) override {
      if (trio::lowlevel::in_task()) refused += refuses([] { trio::sleep(1s); });
    }

    static bool refuses(std::function<void()> const& wait) {
      auto const error = thrown_by(wait);
      auto const* misuse = trio::exception_cast<trio::MisuseError>(error);
      return misuse && std::string(misuse->what()).find("an instrument must not wait") == 6;
    }

    int refused = 0;
  } waiter;

  trio::run(with({&waiter}), [] { checkpoint(); });
  CHECK(waiter.refused >= 5);
}

TEST_CASE("instruments belong to a run") {
  Recorder recorder;
  CHECK_THROWS_AS(add_instrument(recorder), trio::MisuseError);
  CHECK_THROWS_AS(remove_instrument(recorder), trio::MisuseError);
}
