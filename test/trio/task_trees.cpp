// SPDX-License-Identifier: BSL-1.0
#include "../child_process.hpp"
#include "../sanitized.hpp"
#include "support.hpp"

#include <trio/task_tree.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <signal.h>
#include <unistd.h>

using namespace support;
using trio::StackFrame;
using trio::TaskState;
using trio::TaskTree;
using trio::lowlevel::checkpoint;
using trio::testing::wait_all_tasks_blocked;

// Functions of the user that wait.
namespace waiter {

[[gnu::noinline]] void waits_for_event(trio::Event& event) {
  event.wait();
  asm volatile("");
}

[[gnu::noinline]] void calls_waits_for_event(trio::Event& event) {
  waits_for_event(event);
  asm volatile("");
}

[[gnu::noinline]] void sleeps() {
  trio::sleep(1h);
  asm volatile("");
}

// Tells that it spins. Calls nothing, not even std::atomic's functions.
[[gnu::noinline]] void spins(bool& spinning, bool const& stop) {
  __atomic_store_n(&spinning, true, __ATOMIC_RELAXED);
  while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {}
}

void named_by_its_symbol() { trio::sleep_forever(); }

}  // namespace waiter

namespace {

bool contains(std::string const& text, std::string const& part) {
  CHECK_MESSAGE(text.find(part) != std::string::npos, text << "\nshould contain " << part);
  return text.find(part) != std::string::npos;
}

std::size_t count(std::string const& text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != text.npos; at += part.size()) ++found;
  return found;
}

std::vector<StackFrame> symbolized(trio::StackTrace const& stack) {
  auto frames = trio::frames_of(stack);
  trio::symbolize(frames);
  return frames;
}

std::vector<std::string> user_functions(TaskTree const& task) {
  std::vector<std::string> names;
  for (StackFrame const& frame : symbolized(task.stack))
    if (frame.kind == StackFrame::Kind::user) names.push_back(frame.function);
  return names;
}

// The task of that name at or below `tree`, or null.
TaskTree const* find(TaskTree const& tree, std::string const& name) {
  if (tree.name == name) return &tree;
  for (auto const& nursery : tree.nurseries)
    for (TaskTree const& child : nursery)
      if (TaskTree const* found = find(child, name)) return found;
  return nullptr;
}

// Runs `fn(nursery)` in a nursery whose tasks are ended afterwards.
template <class F> void with_nursery(F&& fn) {
  trio::open_nursery([&](trio::Nursery& nursery) {
    fn(nursery);
    nursery.cancel_scope().cancel();
  });
}

void wait_until(bool const& flag) {
  while (!__atomic_load_n(&flag, __ATOMIC_RELAXED)) std::this_thread::yield();
}

void send(int signal) { kill(getpid(), signal); }

// Prints at SIGUSR1, and tells of it.
struct Watched {
  std::atomic<int> printed = 0;
  trio::lowlevel::TrioToken token = trio::lowlevel::current_trio_token();
  // Shared, as the run may set it when this has gone.
  std::shared_ptr<trio::Event> event = std::make_shared<trio::Event>();
  trio::TaskTreeOnSignal on_signal;

  explicit Watched(trio::TaskTreeOptions options = {})
      : on_signal([&] {
          options.afterwards = [this] {
            ++printed;
            printed.notify_all();
            token.run_sync_soon([set = event] { set->set(); });
          };
          return std::move(options);
        }()) {}

  // In a thread; a task waits for the event.
  void wait_for_printing() const { printed.wait(0); }
};

std::atomic<int> own_signals = 0;

void count_signal(int) { ++own_signals; }

}  // namespace

TEST_CASE("the stack of a parked task shows the user's function that waits") {
  support::run([] {
    trio::Event event;
    with_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon({.name = "waiter"}, waiter::calls_waits_for_event, std::ref(event));
      wait_all_tasks_blocked();
      auto const tree = trio::task_tree();
      auto const* task = find(tree, "waiter");
      REQUIRE(task);
      CHECK(task->state == TaskState::parked);
      auto const names = user_functions(*task);
      REQUIRE(names.size() == 2);
      CHECK(names[0] == "waiter::waits_for_event(trio::Event&)");
      CHECK(names[1] == "waiter::calls_waits_for_event(trio::Event&)");
      auto const frames = symbolized(task->stack);
      CHECK(trio::waits_in(frames) == "trio::Event::wait");
      CHECK(std::ranges::find(frames, "trio_walk_parked", &StackFrame::function) == frames.end());
    });
  });
}

TEST_CASE("a task that has been looked at goes on as if it had not") {
  support::run([] {
    trio::Event event;
    int woken = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int i = 0; i < 3; ++i)
        nursery.start_soon([&] {
          waiter::waits_for_event(event);
          ++woken;
        });
      wait_all_tasks_blocked();
      auto const before = trio::task_tree();
      auto const after = trio::task_tree();
      CHECK(trio::format(before).size() > 0);
      CHECK(find(before, "<init>")->nurseries.size() == find(after, "<init>")->nurseries.size());
      event.set();
    });
    CHECK(woken == 3);
  });
}

TEST_CASE("the tree is nested as the nurseries are") {
  support::run([] {
    with_nursery([](trio::Nursery& outer) {
      with_nursery([&](trio::Nursery& inner) {
        outer.start_soon({.name = "first"}, trio::sleep_forever);
        inner.start_soon({.name = "parent"}, [] {
          trio::open_nursery([](trio::Nursery& own) {
            own.start_soon({.name = "child 1"}, trio::sleep_forever);
            own.start_soon({.name = "child 2"}, trio::sleep_forever);
          });
        });
        outer.start_soon({.name = "second"}, trio::sleep_forever);
        wait_all_tasks_blocked();
        auto const tree = trio::task_tree();
        CHECK(tree.name == trio::lowlevel::current_root_task().name());
        TaskTree const* self = nullptr;
        for (auto const& nursery : tree.nurseries)
          for (TaskTree const& task : nursery)
            if (task.state == TaskState::running) self = &task;
        REQUIRE(self);
        REQUIRE(self->nurseries.size() == 2);
        REQUIRE(self->nurseries[0].size() == 2);
        CHECK(self->nurseries[0][0].name == "first");
        CHECK(self->nurseries[0][1].name == "second");
        REQUIRE(self->nurseries[1].size() == 1);
        auto const& parent = self->nurseries[1][0];
        CHECK(parent.name == "parent");
        REQUIRE(parent.nurseries.size() == 1);
        REQUIRE(parent.nurseries[0].size() == 2);
        CHECK(parent.nurseries[0][0].name == "child 1");
        CHECK(parent.nurseries[0][1].name == "child 2");
        CHECK(tree.left_out == 0);
      });
    });
  });
}

TEST_CASE("a task that has ended is not in the tree") {
  support::run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      nursery.start_soon({.name = "short"}, [] {});
      CHECK(find(trio::task_tree(), "short"));
      nursery.join();
      CHECK(!find(trio::task_tree(), "short"));
    });
  });
}

TEST_CASE("a task handed over by started() is in its new nursery") {
  support::run([] {
    with_nursery([](trio::Nursery& nursery) {
      nursery.start({.name = "server"}, [](trio::TaskStatus<void>& status) {
        status.started();
        trio::sleep_forever();
      });
      auto const tree = trio::task_tree();
      CHECK(count(trio::format(tree), "- server: ") == 1);
    });
  });
}

TEST_CASE("a task tells whether it runs, is ready or parked") {
  support::run([] {
    with_nursery([](trio::Nursery& nursery) {
      nursery.start_soon({.name = "parked"}, trio::sleep_forever);
      nursery.start_soon({.name = "running"}, [] {
        checkpoint();
        auto const tree = trio::task_tree();
        CHECK(find(tree, "running")->state == TaskState::running);
        CHECK(find(tree, "parked")->state == TaskState::parked);
        CHECK(find(tree, "new")->state == TaskState::ready);
        CHECK(find(tree, "ready")->state == TaskState::ready);
        CHECK(find(tree, "new")->stack.empty());
        CHECK(find(tree, "parked")->stack.size() > 0);
        CHECK(user_functions(*find(tree, "running")).size() == 1);
        CHECK(find(tree, "ready")->stack.size() > 0);
      });
      nursery.start_soon({.name = "ready"}, [&] {
        for (int i = 0; i < 3; ++i) checkpoint();
      });
      checkpoint();
      nursery.start_soon({.name = "new"}, [] {});
      checkpoint();
      wait_all_tasks_blocked();
    });
  });
}

TEST_CASE("a task tells for how long it has been parked, in real time") {
  trio::run([] {
    with_nursery([](trio::Nursery& nursery) {
      nursery.start_soon({.name = "early"}, trio::sleep_forever);
      trio::sleep(80ms);
      nursery.start_soon({.name = "late"}, trio::sleep_forever);
      trio::sleep(20ms);
      auto const tree = trio::task_tree();
      auto const early = find(tree, "early")->parked_for.nanoseconds();
      auto const late = find(tree, "late")->parked_for.nanoseconds();
      CHECK(early >= 90ms);
      CHECK(late >= 10ms);
      CHECK(early - late >= 70ms);
      CHECK(early < 60s);
    });
  });
}

TEST_CASE("a task that parks while others keep the loop busy is stamped as well") {
  trio::run([] {
    with_nursery([](trio::Nursery& nursery) {
      bool stop = false;
      nursery.start_soon([&] {
        while (!stop) checkpoint();
      });
      nursery.start_soon([&] {
        while (!stop) checkpoint();
      });
      auto const begin = std::chrono::steady_clock::now();
      while (std::chrono::steady_clock::now() < begin + 100ms) checkpoint();
      nursery.start_soon({.name = "late"}, trio::sleep_forever);
      for (int i = 0; i < 3; ++i) checkpoint();
      CHECK(find(trio::task_tree(), "late")->parked_for.nanoseconds() < 60ms * support::slowness());
      stop = true;
    });
  });
}

TEST_CASE("a task whose scope is cancelled says so") {
  support::run([] {
    trio::CancelScope scope;
    with_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon({.name = "stubborn"},
                         [&] { within(scope, [] { trio::shielded([] { trio::sleep(1s); }); }); });
      nursery.start_soon({.name = "cancelled"}, [&] {
        trio::CancelScope own;
        own.cancel();
        within(own, [] { trio::lowlevel::cancel_shielded_checkpoint(); });
      });
      checkpoint();
      scope.cancel();
      auto const tree = trio::task_tree();
      CHECK(!find(tree, "stubborn")->cancelled);
      CHECK(find(tree, "cancelled")->cancelled);
      CHECK(contains(trio::format(tree), "- cancelled: ready, cancelled\n"));
    });
  });
}

TEST_CASE("the text of a tree names what each task waits in, and the user's lines") {
  support::run([] {
    with_nursery([](trio::Nursery& nursery) {
      nursery.start_soon({.name = "sleeper"}, waiter::sleeps);
      nursery.start_soon(waiter::named_by_its_symbol);
      wait_all_tasks_blocked();
      auto const text = trio::format(trio::task_tree(), "> ");
      INFO(text);
      CHECK(text.find("> - <init>: parked for 0.") == 0);
      CHECK(contains(text, "- sleeper: parked for 0."));
      CHECK(contains(text, " s in trio::sleep\n"));
      CHECK(contains(text, "waiter::sleeps() at "));
      CHECK(contains(text, "- waiter::named_by_its_symbol: parked for 0."));
      CHECK(contains(text, " s in trio::sleep_forever\n"));
      CHECK(contains(text, ": running\n"));
      for (char const* hidden : {"_Unwind", "std::", "detail", "boost", "jump_fcontext"})
        CHECK(text.find(hidden) == std::string::npos);
    });
  });
}

TEST_CASE("every function that waits is named as the user called it") {
  support::run([] {
    trio::Event event;
    trio::Lock lock;
    trio::Semaphore semaphore(0);
    trio::CapacityLimiter limiter(0);
    trio::Condition condition;
    trio::Value<int> value(0);
    trio::Shared const shared([] { trio::sleep_forever(); });
    trio::lowlevel::ParkingLot lot;
    auto [sender, receiver] = trio::open_memory_channel<int>(0);
    auto [idle_sender, idle_receiver] = trio::open_memory_channel<int>(0);
    std::array<int, 2> ends{};
    REQUIRE(pipe(ends.data()) == 0);
    with_nursery([&, &to = sender, &from = idle_receiver](trio::Nursery& nursery) {
      nursery.start_soon({.name = "trio::sleep"}, [] { trio::sleep(1h); });
      nursery.start_soon({.name = "trio::sleep_until"}, [] { trio::sleep_until(trio::never); });
      nursery.start_soon({.name = "trio::sleep_forever"}, [] { trio::sleep_forever(); });
      nursery.start_soon({.name = "trio::Event::wait"}, [&] { event.wait(); });
      nursery.start_soon({.name = "trio::Semaphore::acquire"}, [&] { semaphore.acquire(); });
      nursery.start_soon({.name = "trio::CapacityLimiter::acquire"}, [&] { limiter.acquire(); });
      nursery.start_soon({.name = "trio::Condition::wait"}, [&] {
        auto const held = condition.guard();
        condition.wait();
      });
      nursery.start_soon({.name = "trio::Value::until_equals"}, [&] { value.until_equals(1); });
      nursery.start_soon({.name = "trio::Shared::wait"}, [&] { shared.wait(); });
      nursery.start_soon({.name = "trio::lowlevel::ParkingLot::park"}, [&] { lot.park(); });
      nursery.start_soon({.name = "trio::MemorySendChannel::send"}, [&] { to.send(1); });
      nursery.start_soon({.name = "trio::MemoryReceiveChannel::receive"}, [&] { from.receive(); });
      nursery.start_soon({.name = "trio::lowlevel::wait_readable"},
                         [&] { trio::lowlevel::wait_readable(ends[0]); });
      nursery.start_soon({.name = "trio::open_nursery"}, [] {
        trio::open_nursery(
            [](trio::Nursery& inner) { inner.start_soon({.name = ""}, trio::sleep_forever); });
      });
      nursery.start_soon({.name = "trio::Nursery::join"}, [] {
        trio::open_nursery([](trio::Nursery& inner) {
          inner.start_soon({.name = ""}, trio::sleep_forever);
          inner.join();
        });
      });
      lock.acquire();
      nursery.start_soon({.name = "trio::Lock::acquire"}, [&] { lock.acquire(); });
      wait_all_tasks_blocked();
      auto const tree = trio::task_tree();
      int compared = 0;
      for (trio::Task* task : nursery.child_tasks()) {
        auto const* seen = find(tree, task->name());
        REQUIRE(seen);
        CHECK(trio::waits_in(symbolized(seen->stack)) == task->name());
        ++compared;
      }
      CHECK(compared == 16);
      lock.release();
    });
    close(ends[0]);
    close(ends[1]);
  });
}

TEST_CASE("the tree of no run is refused") {
  CHECK_THROWS_AS(trio::task_tree(), trio::MisuseError);
  CHECK_THROWS_AS(trio::TaskTreeOnSignal(), trio::MisuseError);
}

TEST_CASE("hidden: SIGUSR1 comes while the loop waits" * doctest::skip()) {
  trio::run([] {
    Watched watched({.heading = "Here are the tasks:"});
    with_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon({.name = "sleeper"}, waiter::sleeps);
      wait_all_tasks_blocked();
      std::thread other([] { send(SIGUSR1); });
      watched.event->wait();
      other.join();
    });
  });
}

TEST_CASE("at a signal the tree is printed") {
  auto const ending = run_hidden_case("hidden: SIGUSR1 comes while the loop waits");
  CHECK(ending.exit_code == 0);
  CHECK(ending.errors.find("Here are the tasks:\n- <init>: parked for ") == 0);
  CHECK(contains(ending.errors, " s in trio::sleep\n"));
  CHECK(contains(ending.errors, "waiter::sleeps() at "));
}

TEST_CASE("hidden: SIGUSR1 comes while a task spins" * doctest::skip()) {
  trio::run([] {
    Watched watched;
    bool spinning = false;
    bool stop = false;
    with_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon({.name = "sleeper"}, waiter::sleeps);
      nursery.start_soon({.name = "spinner"}, waiter::spins, std::ref(spinning), std::ref(stop));
      std::thread other([&] {
        wait_until(spinning);
        send(SIGUSR1);
        watched.wait_for_printing();
        __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
      });
      wait_all_tasks_blocked();
      other.join();
    });
  });
}

TEST_CASE("the tree is printed even if a task never stops" * doctest::skip(under_tsan)) {
  auto const ending = run_hidden_case("hidden: SIGUSR1 comes while a task spins");
  CHECK(ending.exit_code == 0);
  CHECK(contains(ending.errors, "- spinner: running\n"));
  CHECK(contains(ending.errors, "waiter::spins("));
  CHECK(contains(ending.errors, "waiter::sleeps() at "));
}

TEST_CASE("hidden: SIGUSR1 comes while a task spins that has room for one frame" *
          doctest::skip()) {
  trio::run([] {
    Watched watched({.max_frames = 1});
    bool spinning = false;
    bool stop = false;
    std::thread other([&] {
      wait_until(spinning);
      send(SIGUSR1);
      watched.wait_for_printing();
      __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    });
    waiter::spins(spinning, stop);
    other.join();
  });
}

TEST_CASE("the stack of an interrupted task has no frames of the signal handler" *
          doctest::skip(under_tsan)) {
  auto const ending =
      run_hidden_case("hidden: SIGUSR1 comes while a task spins that has room for one frame");
  CHECK(ending.exit_code == 0);
  CHECK(contains(ending.errors, "waiter::spins("));
}

TEST_CASE("hidden: SIGUSR1 comes and the run ends" * doctest::skip()) {
  trio::run([] {
    trio::TaskTreeOnSignal const on_signal;
    raise(SIGUSR1);
  });
}

TEST_CASE("what was asked for right before the end is printed") {
  auto const ending = run_hidden_case("hidden: SIGUSR1 comes and the run ends");
  CHECK(ending.exit_code == 0);
  CHECK(ending.errors.find("Tasks:\n- <init>: parked for ") == 0);
}

TEST_CASE("hidden: SIGUSR1 comes to another thread" * doctest::skip()) {
  trio::run([] {
    Watched watched;
    std::thread([&] { pthread_kill(pthread_self(), SIGUSR1); }).join();
    watched.event->wait();
  });
}

TEST_CASE("a signal that another thread got is passed on to the run's") {
  auto const ending = run_hidden_case("hidden: SIGUSR1 comes to another thread");
  CHECK(ending.exit_code == 0);
  CHECK(contains(ending.errors, ": running\n"));
}

TEST_CASE("hidden: SIGUSR1 comes to a run of thousands of tasks" * doctest::skip()) {
  trio::run([] {
    Watched watched({.max_tasks = 500, .max_frames = 8});
    with_nursery([&](trio::Nursery& nursery) {
      for (int i = 0; i < 4000; ++i) nursery.start_soon({.name = "sleeper"}, waiter::sleeps);
      wait_all_tasks_blocked();
      send(SIGUSR1);
      watched.event->wait();
    });
  });
}

TEST_CASE("of thousands of tasks as many are printed as there is room for") {
  auto const ending = run_hidden_case("hidden: SIGUSR1 comes to a run of thousands of tasks");
  CHECK(ending.exit_code == 0);
  // The first task, the main task and the one that serves calls from outside are there too.
  CHECK(count(ending.errors, "- sleeper: ") == 497);
  CHECK(contains(ending.errors, "\n... and 3503 more\n"));
}

TEST_CASE("hidden: SIGUSR1 comes all the time" * doctest::skip()) {
  trio::run([] {
    Watched watched({.max_tasks = 20});
    std::atomic<bool> stop = false;
    std::thread other([&] {
      while (!stop) {
        send(SIGUSR1);
        std::this_thread::yield();
      }
    });
    auto [there, here] = trio::open_memory_channel<int>(0);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        for (int value : here) static_cast<void>(value);
      });
      auto const begin = std::chrono::steady_clock::now();
      for (int i = 0; std::chrono::steady_clock::now() < begin + 500ms || watched.printed < 3;
           ++i) {
        there.send(i);
        trio::open_nursery([](trio::Nursery& inner) {
          inner.start_soon([] { static_cast<void>(thrown_by([] { throw KeyError(); })); });
        });
      }
      there.close();
    });
    stop = true;
    other.join();
  });
}

TEST_CASE("a run that switches, starts and throws may be interrupted anywhere") {
  auto const ending = run_hidden_case("hidden: SIGUSR1 comes all the time");
  CHECK(ending.signal == 0);
  CHECK(ending.exit_code == 0);
  CHECK(count(ending.errors, "Tasks:\n") >= 3);
}

TEST_CASE("the signal is left as it was found") {
  struct sigaction before = {};
  struct sigaction ours = {};
  ours.sa_handler = count_signal;
  sigaction(SIGUSR1, &ours, &before);
  trio::run([] {
    {
      trio::TaskTreeOnSignal const on_signal;
      struct sigaction present = {};
      sigaction(SIGUSR1, nullptr, &present);
      CHECK((present.sa_handler != count_signal));
    }
    raise(SIGUSR1);
    CHECK(own_signals == 1);
  });
  sigaction(SIGUSR1, &before, nullptr);
}

TEST_CASE("another signal may be chosen") {
  trio::run([] {
    struct sigaction present = {};
    trio::TaskTreeOnSignal const on_signal({.signal = SIGUSR2});
    sigaction(SIGUSR1, nullptr, &present);
    CHECK((present.sa_handler == SIG_DFL));
    sigaction(SIGUSR2, nullptr, &present);
    CHECK((present.sa_handler != SIG_DFL));
  });
}

TEST_CASE("a second one in the process is refused and does not hurt the first") {
  trio::run([] {
    {
      trio::TaskTreeOnSignal const first;
      CHECK_THROWS_AS(trio::TaskTreeOnSignal(), trio::MisuseError);
      struct sigaction present = {};
      sigaction(SIGUSR1, nullptr, &present);
      CHECK((present.sa_handler != SIG_DFL));
    }
    trio::TaskTreeOnSignal const again;
  });
}
