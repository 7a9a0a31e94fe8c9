// SPDX-License-Identifier: BSL-1.0
#include "../child_process.hpp"
#include "support.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <thread>
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

TEST_CASE("the run looks for input for no longer than until something is due") {
  struct Looker : trio::Instrument {
    void before_io_wait(trio::Duration timeout) override { timeouts.push_back(timeout); }

    std::vector<trio::Duration> timeouts;
  } looker;

  trio::Duration const none = 0s;
  // What `fn` lets it wait for.
  auto const timeouts_of = [&](auto const& fn) {
    let_others_block();
    looker.timeouts.clear();
    fn();
    return looker.timeouts;
  };
  trio::RunOptions options = with({&looker});
  options.poll_every_pass = true;
  trio::run(options, [&] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      auto const busy = timeouts_of([&] {
        nursery.start_soon([] { checkpoint(); });
        for (int i = 0; i < 3; ++i) checkpoint();
      });
      CHECK(busy == std::vector<trio::Duration>(3, none));

      auto const asleep = timeouts_of([] { trio::sleep(2ms); });
      REQUIRE(!asleep.empty());
      CHECK(asleep.front() > none);
      for (trio::Duration timeout : asleep) CHECK(timeout <= 2ms);

      auto const blocked = timeouts_of([] { trio::testing::wait_all_tasks_blocked(1ms); });
      CHECK(blocked == std::vector<trio::Duration>(1, 1ms));

      // Nothing is due, ever: it looks up once a day.
      trio::Event event;
      auto const woken = timeouts_of([&] {
        std::thread other([token = trio::lowlevel::current_trio_token(), &event] {
          token.run_sync_soon([&] { event.set(); });
        });
        event.wait();
        other.join();
      });
      REQUIRE(!woken.empty());
      for (trio::Duration timeout : woken) CHECK((timeout == none || timeout == 24h));
    });
  });
}

namespace {

// Throws in one of its hooks.
struct Failing : trio::Instrument {
  explicit Failing(std::size_t number) : hook(number) {}

  void before_run() override { called(0); }

  void after_run() override { called(1); }

  void task_spawned(trio::Task&) override { called(2); }

  void task_scheduled(trio::Task&) override { called(3); }

  void before_task_step(trio::Task&) override { called(4); }

  void after_task_step(trio::Task&) override { called(5); }

  void task_exited(trio::Task&) override { called(6); }

  void before_io_wait(trio::Duration) override { called(7); }

  void after_io_wait(trio::Duration) override { called(8); }

  void called(std::size_t number) {
    if (number != hook) return;
    ++calls;
    throw KeyError("no more");
  }

  static constexpr std::size_t hooks = 9;

  std::size_t hook;
  int calls = 0;
};

}  // namespace

TEST_CASE("hidden: instruments throw" * doctest::skip()) {
  for (std::size_t hook = 0; hook < Failing::hooks; ++hook) {
    Failing failing(hook);
    Recorder other;
    Recorder alone;
    auto const work = [] {
      trio::open_nursery([](trio::Nursery& nursery) {
        nursery.start_soon([] { trio::sleep(1us); });
        trio::sleep(1us);
      });
      return 7;
    };
    CHECK(trio::run(with({&failing, &other}), work) == 7);
    CHECK(failing.calls == 1);
    CHECK(other.record.back().first == "after_run");
    // Nothing is missed because of it.
    CHECK(trio::run(with({&alone}), work) == 7);
    CHECK(other.record.size() == alone.record.size());
  }
  Failing failing(3);
  trio::run(with({&failing}), [&] {
    checkpoint();
    CHECK_THROWS_AS(remove_instrument(failing), trio::MisuseError);
  });
}

TEST_CASE("an instrument that throws is reported and taken out, and nobody else notices [I:183]") {
  auto const ending = run_hidden_case("hidden: instruments throw");
  INFO(ending.errors);
  CHECK(ending.exit_code == 0);
  std::string const report =
      "trio: an instrument ((anonymous namespace)::Failing) has thrown and was";
  std::size_t reports = 0;
  for (std::size_t at = 0; (at = ending.errors.find(report, at)) != std::string::npos; ++at)
    ++reports;
  CHECK(reports == Failing::hooks + 1);
  CHECK(ending.says("no more"));
}

TEST_CASE("a hook may take another instrument out, which then is told nothing more") {
  struct Remover : trio::Instrument {
    explicit Remover(trio::Instrument& instrument) : other(instrument) {}

    void task_exited(trio::Task&) override {
      if (!std::exchange(done, true)) remove_instrument(other);
    }

    trio::Instrument& other;
    bool done = false;
  };

  struct Counter : trio::Instrument {
    void task_exited(trio::Task&) override { ++exits; }

    int exits = 0;
  };

  // The one that is taken out comes later, or has been told already.
  for (bool later : {true, false}) {
    Counter counter;
    Remover remover(counter);
    auto const order = later ? std::vector<trio::Instrument*>{&remover, &counter}
                             : std::vector<trio::Instrument*>{&counter, &remover};
    trio::run(with(order), [] { checkpoint(); });
    CHECK(counter.exits == (later ? 0 : 1));
  }
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
