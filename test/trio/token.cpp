// SPDX-License-Identifier: BSL-1.0
#include "../sanitized.hpp"
#include "support.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

using namespace std::chrono_literals;
using support::run;
using trio::lowlevel::checkpoint;
using trio::lowlevel::current_trio_token;
using trio::lowlevel::TrioToken;
using trio::testing::wait_all_tasks_blocked;

TEST_CASE("run_sync_soon has a call made soon, in a task, but not at once [R:1424]") {
  run([] {
    int called = 0;
    bool in_task = false;
    current_trio_token().run_sync_soon([&] {
      ++called;
      in_task = trio::lowlevel::in_task() &&
                &trio::lowlevel::current_task() != &trio::lowlevel::current_root_task();
    });
    CHECK(called == 0);
    wait_all_tasks_blocked();
    CHECK(called == 1);
    CHECK(in_task);
  });
}

TEST_CASE("run_sync_soon refuses after the run has ended [R:1437]") {
  std::optional<TrioToken> token;
  run([&] { token = current_trio_token(); });
  CHECK_THROWS_AS(token->run_sync_soon([] {}), trio::RunFinishedError);
  CHECK_THROWS_AS(token->run_sync_soon([] {}, &token), trio::RunFinishedError);
  // Harmless, always.
  token->wake();
  TrioToken const copy = *token;
  token.reset();
  CHECK_THROWS_AS(copy.run_sync_soon([] {}), trio::RunFinishedError);
}

TEST_CASE("current_trio_token needs a run") {
  CHECK_THROWS_AS(current_trio_token(), trio::MisuseError);
}

TEST_CASE("a call is not queued twice under one idempotent key, others are [R:1449]") {
  run([] {
    int first = 0, second = 0, plain = 0;
    TrioToken const token = current_trio_token();
    for (int i = 0; i < 100; ++i) {
      token.run_sync_soon([&] { ++first; }, &first);
      token.run_sync_soon([&] { ++second; }, &second);
      token.run_sync_soon([&] { ++plain; });
    }
    CHECK(trio::lowlevel::current_statistics().run_sync_soon_queue == 102);
    wait_all_tasks_blocked();
    CHECK(first == 1);
    CHECK(second == 1);
    CHECK(plain == 100);
    CHECK(trio::lowlevel::current_statistics().run_sync_soon_queue == 0);
    token.run_sync_soon([&] { ++first; }, &first);
    wait_all_tasks_blocked();
    CHECK(first == 2);
  });
}

TEST_CASE("idempotent keys cost the same however many are queued") {
  run([] {
    constexpr std::size_t keys = 200'000;
    TrioToken const token = current_trio_token();
    std::vector<char> key(keys);
    int called = 0;
    auto const start = std::chrono::steady_clock::now();
    for (int round = 0; round < 2; ++round)
      for (char const& each : key) token.run_sync_soon([&] { ++called; }, &each);
    // Looking through the queue each time would take a minute.
    CHECK(std::chrono::steady_clock::now() - start < 5s * support::slowness());
    wait_all_tasks_blocked();
    CHECK(called == keys);
  });
}

TEST_CASE("a call under an idempotent key may queue itself again once it runs [R:1476]") {
  int called = 0;
  run([&] {
    TrioToken const token = current_trio_token();
    std::function<void()> again = [&] {
      if (++called < 5) token.run_sync_soon(again, &called);
    };
    token.run_sync_soon(again, &called);
    wait_all_tasks_blocked();
    CHECK(called == 5);
  });
}

TEST_CASE("what was accepted is called even though the main task has crashed [R:1500]") {
  std::vector<std::string> record;
  CHECK_THROWS_AS(run([&] {
                    current_trio_token().run_sync_soon([&] { record.push_back("called"); });
                    throw support::KeyError();
                  }),
                  support::KeyError);
  CHECK(record == std::vector<std::string>{"called"});
}

TEST_CASE("a call accepted after main has ended is made before run() returns") {
  std::vector<std::string> record;
  run([&] {
    trio::lowlevel::spawn_system_task("late", [&] {
      try {
        trio::sleep_forever();
      } catch (trio::Cancelled const&) {
        current_trio_token().run_sync_soon([&] { record.push_back("called"); });
        throw;
      }
    });
    checkpoint();
  });
  CHECK(record == std::vector<std::string>{"called"});
}

TEST_CASE("a call that fails ends the run, but stops no other call [R:1516]") {
  std::vector<std::string> record;
  auto const error = support::thrown_by([&] {
    run([&] {
      TrioToken const token = current_trio_token();
      token.run_sync_soon([] { throw support::KeyError(); });
      token.run_sync_soon([&] { record.push_back("second call"); });
      try {
        trio::sleep_forever();
      } catch (trio::Cancelled const&) {
        record.push_back("main cancelled");
        throw;
      }
    });
  });
  auto const* internal = trio::exception_cast<trio::TrioInternalError>(error);
  REQUIRE(internal);
  auto const* group = trio::exception_cast<trio::BaseExceptionGroup>(internal->cause());
  REQUIRE(group);
  CHECK(group->find<support::KeyError>());
  CHECK(record == std::vector<std::string>{"second call", "main cancelled"});
}

TEST_CASE("a call that fails when main has ended already ends the run with the error too") {
  CHECK_THROWS_AS(
      run([] { current_trio_token().run_sync_soon([] { throw support::KeyError(); }); }),
      trio::TrioInternalError);
}

TEST_CASE("calls are made in the order in which they were queued [R:1540]") {
  std::vector<int> order;
  run([&] {
    TrioToken const token = current_trio_token();
    for (int i = 0; i < 1000; ++i) token.run_sync_soon([&order, i] { order.push_back(i); });
    wait_all_tasks_blocked();
  });
  CHECK(order.size() == 1000);
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("a call that always queues itself again starves no task [R:1550]") {
  int calls = 0;
  bool refused = false;
  std::function<void()> naughty;
  run([&] {
    TrioToken const token = current_trio_token();
    naughty = [&, token] {
      ++calls;
      try {
        token.run_sync_soon(naughty);
      } catch (trio::RunFinishedError const&) {
        refused = true;
      }
    };
    token.run_sync_soon(naughty);
    for (int i = 0; i < 20; ++i) checkpoint();
  });
  CHECK(refused);
  CHECK(calls >= 19);
  CHECK(calls <= 40);
}

TEST_CASE("a call that always queues itself again starves no timeout either") {
  bool done = false;
  std::function<void()> naughty;
  run([&] {
    TrioToken const token = current_trio_token();
    naughty = [&, token] {
      if (!done) token.run_sync_soon(naughty);
    };
    token.run_sync_soon(naughty);
    auto const outcome = trio::move_on_after(0s, [] { trio::sleep_forever(); });
    CHECK(outcome.cut_short);
    done = true;
  });
}

TEST_CASE("a run in wait_all_tasks_blocked is not idle while calls are waiting [R:1424]") {
  run([] {
    std::vector<std::string> record;
    TrioToken const token = current_trio_token();
    token.run_sync_soon([&] {
      record.push_back("call");
      token.run_sync_soon([&] { record.push_back("call of the call"); });
    });
    wait_all_tasks_blocked();
    record.push_back("idle");
    CHECK(record == std::vector<std::string>{"call", "call of the call", "idle"});
  });
}

TEST_CASE("any number of calls may be queued before the run looks [R:1606]") {
  int const count = 200'000;
  int next = 0;
  bool in_order = true;
  run([&] {
    TrioToken const token = current_trio_token();
    for (int i = 0; i < count; ++i)
      token.run_sync_soon([&, i] {
        in_order = in_order && i == next;
        ++next;
      });
    wait_all_tasks_blocked();
  });
  CHECK(next == count);
  CHECK(in_order);
}

TEST_CASE("calls queued by many threads all arrive, each thread's in order [R:1578]") {
  constexpr int threads = 4;
  constexpr int calls = 5000;
  std::vector<int> next(threads, 0);
  bool in_order = true;
  std::vector<std::thread> crowd;
  trio::run([&] {
    TrioToken const token = current_trio_token();
    trio::Event done;
    int left = threads;
    for (int t = 0; t < threads; ++t)
      crowd.emplace_back([&, token, t] {
        for (int i = 0; i < calls; ++i)
          token.run_sync_soon([&, t, i] {
            auto& expected = next[static_cast<std::size_t>(t)];
            in_order = in_order && expected == i;
            ++expected;
          });
        token.run_sync_soon([&] {
          if (--left == 0) done.set();
        });
      });
    done.wait();
  });
  for (auto& thread : crowd) thread.join();
  CHECK(in_order);
  CHECK(next == std::vector<int>(threads, calls));
}

TEST_CASE("a run that sleeps in the kernel wakes for each single call of a thread [R:1578]") {
  // Each call waits for the one before to have been made: one lost wake-up and this hangs.
  int const calls = 20'000 / support::slowness();
  std::atomic<int> made = 0;
  std::thread caller;
  trio::run([&] {
    trio::Event done;
    caller = std::thread([&, token = current_trio_token()] {
      for (int i = 0; i < calls; ++i) {
        token.run_sync_soon([&] {
          made.store(made.load() + 1);
          made.notify_one();
        });
        made.wait(i);
      }
      token.run_sync_soon([&] { done.set(); });
    });
    done.wait();
  });
  caller.join();
  CHECK(made == calls);
}

TEST_CASE("a call sees what its thread wrote before, and the thread what the call wrote") {
  std::string from_thread, from_run;
  std::atomic<bool> answered = false;
  std::thread other;
  trio::run([&] {
    trio::Event done;
    other = std::thread([&, token = current_trio_token()] {
      from_thread = "hello";
      token.run_sync_soon([&] {
        from_run = from_thread + ", answered";
        answered.store(true);
        answered.notify_one();
      });
      answered.wait(false);
      CHECK(from_run == "hello, answered");
      token.run_sync_soon([&] { done.set(); });
    });
    done.wait();
  });
  other.join();
}

TEST_CASE("threads that call while the run ends are served or refused, never forgotten") {
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> accepted = 0;
    std::atomic<int> served = 0;
    std::atomic<int> refused = 0;
    std::atomic<bool> calling = false;
    std::vector<std::thread> crowd;
    trio::run([&] {
      for (int t = 0; t < 2; ++t)
        crowd.emplace_back([&, token = current_trio_token()] {
          while (refused == 0) {
            try {
              token.run_sync_soon([&] { ++served; });
              ++accepted;
              calling = true;
              calling.notify_all();
            } catch (trio::RunFinishedError const&) {
              ++refused;
            }
          }
        });
      calling.wait(false);
    });
    for (auto& thread : crowd) thread.join();
    CHECK(served == accepted);
  }
}

TEST_CASE("threads may wake a run while it ends and after, whatever its descriptors become") {
  for (int round = 0; round < 50; ++round) {
    std::atomic<bool> waking = false;
    std::atomic<bool> stop = false;
    std::thread waker;
    trio::run([&] {
      waker = std::thread([&, token = current_trio_token()] {
        while (!stop) {
          token.wake();
          waking = true;
          waking.notify_all();
        }
      });
      waking.wait(false);
    });
    // A descriptor that takes the number of the run's own must not hear of it.
    int const innocent = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    stop = true;
    waker.join();
    eventfd_t count = 0;
    CHECK(eventfd_read(innocent, &count) < 0);
    close(innocent);
  }
}

namespace {

// Time stands still until a signal handler moves it by an hour.
class SignalledClock final : public trio::Clock {
 public:
  trio::Time current_time() override { return trio::Time(moved ? 1h : 0h); }

  trio::Duration real_time_until(trio::Time) override { return 24h; }

  static inline std::atomic<bool> moved = false;
  static inline std::optional<TrioToken> token;
};

}  // namespace

TEST_CASE("a signal handler may wake the run loop") {
  struct sigaction before = {};
  struct sigaction action = {};
  action.sa_handler = [](int) {
    SignalledClock::moved = true;
    SignalledClock::token->wake();
  };
  sigaction(SIGUSR1, &action, &before);
  SignalledClock clock;
  SignalledClock::moved = false;
  trio::RunOptions options;
  options.clock = &clock;
  std::thread signaller;
  trio::run(options, [&] {
    SignalledClock::token = current_trio_token();
    // In the other thread, so that the signal itself does not end the loop's sleep.
    signaller = std::thread([] { raise(SIGUSR1); });
    trio::sleep_until(trio::Time(1h));
  });
  signaller.join();
  CHECK(SignalledClock::moved);
  SignalledClock::token.reset();
  sigaction(SIGUSR1, &before, nullptr);
}

TEST_CASE("wake makes the loop turn, once, without running any task's wait to its end") {
  run([] {
    TrioToken const token = current_trio_token();
    auto const polls = [] { return trio::lowlevel::current_statistics().polls; };
    trio::Event event;
    bool woken = false;
    // By itself, a loop with a task that is always ready does not visit the kernel.
    wait_all_tasks_blocked();
    auto const before = polls();
    for (int i = 0; i < 10; ++i) checkpoint();
    CHECK(polls() == before);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        event.wait();
        woken = true;
      });
      for (int i = 0; i < 10; ++i) {
        auto const turns = polls();
        token.wake();
        checkpoint();
        CHECK(polls() == turns + 1);
      }
      CHECK(!woken);
      event.set();
    });
    CHECK(woken);
  });
}

TEST_CASE("a call that starts a task starts a task") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      trio::Event done;
      current_trio_token().run_sync_soon([&] { nursery.start_soon([&] { done.set(); }); });
      done.wait();
    });
  });
}

TEST_CASE("a call may change what the caller of the thread holds in the run") {
  // The whole round trip of a worker thread: the task parks, the thread reschedules it.
  int result = 0;
  std::thread worker;
  trio::run([&] {
    trio::Task& task = trio::lowlevel::current_task();
    worker = std::thread([&, token = current_trio_token()] {
      int computed = 6 * 7;
      token.run_sync_soon([&, computed] {
        result = computed;
        trio::lowlevel::reschedule(task);
      });
    });
    trio::lowlevel::wait_task_rescheduled(
        [](auto const&) { return trio::lowlevel::Abort::failed; });
    CHECK(result == 42);
  });
  worker.join();
}
