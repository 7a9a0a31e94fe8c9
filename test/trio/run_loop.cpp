// SPDX-License-Identifier: BSL-1.0
// The order of things within a pass of the run loop, and the protocol of parking.
#include "../child_process.hpp"
#include "../refused_calls.hpp"
#include "support.hpp"

#include <csignal>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace support;
using trio::lowlevel::Abort;
using trio::lowlevel::cancel_shielded_checkpoint;
using trio::lowlevel::checkpoint;
using trio::lowlevel::RaiseCancel;
using trio::lowlevel::reschedule;
using trio::lowlevel::wait_task_rescheduled;
using trio::testing::wait_all_tasks_blocked;

namespace {

// Parks the current task, to be woken by hand; `aborted` counts the calls of its abort function,
// which answers `answer`.
void park(Abort answer, int& aborted) {
  wait_task_rescheduled([&, answer](RaiseCancel const&) {
    ++aborted;
    return answer;
  });
}

void park() {
  int aborted = 0;
  park(Abort::succeeded, aborted);
}

// Parks the current task where a cancellation arrives only by way of the run's entry queue.
void park_with_slow_abort(Log& log) {
  trio::Task& task = trio::lowlevel::current_task();
  wait_task_rescheduled([&](RaiseCancel const& raise) {
    log.push_back("abort called");
    trio::lowlevel::current_trio_token().run_sync_soon(
        [&task, error = raise.exception()] { reschedule(task, error); });
    return Abort::failed;
  });
}

Abort undo_nothing(RaiseCancel const&) noexcept { return Abort::succeeded; }

// Throws from when it is told to.
class BrokenClock final : public trio::Clock {
 public:
  trio::Time current_time() override { return trio::Time(); }

  trio::Duration real_time_until(trio::Time) override {
    if (broken) throw KeyError("no time");
    return 0s;
  }

  bool broken = false;
};

// Says nonsense of how long to sleep.
class HastyClock final : public trio::Clock {
 public:
  trio::Time current_time() override { return trio::Time(++ticks_ * 1s); }

  trio::Duration real_time_until(trio::Time) override { return -1s; }

 private:
  int ticks_ = 0;
};

}  // namespace

TEST_CASE("tasks that only pass checkpoints advance in step [R:152]") {
  run([] {
    Log log;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (char const* name : {"a", "b"})
        nursery.start_soon([&log, name] {
          for (int i = 0; i < 5; ++i) {
            log.push_back(name + std::to_string(i));
            checkpoint();
          }
        });
    });
    REQUIRE(log.size() == 10);
    for (std::size_t i = 0; i < log.size(); ++i)
      CHECK(log[i].back() == static_cast<char>('0' + i / 2));
  });
}

TEST_CASE("every deadline that is due cancels before any task runs") {
  run([](trio::testing::MockClock& clock) {
    trio::CancelScope first(trio::after(trio::current_time(), 1s));
    trio::CancelScope second(trio::after(trio::current_time(), 2s));
    Log log;
    trio::open_nursery([&](trio::Nursery& nursery) {
      auto const wait_in = [&](trio::CancelScope& own, trio::CancelScope& other, char const* name) {
        within(own, [&] {
          CHECK_THROWS_AS(trio::sleep_forever(), trio::Cancelled);
          CHECK(other.cancel_called());
          log.push_back(name);
        });
      };
      nursery.start_soon(wait_in, std::ref(first), std::ref(second), "first");
      nursery.start_soon(wait_in, std::ref(second), std::ref(first), "second");
      wait_all_tasks_blocked();
      clock.jump(5s);
    });
    CHECK(log == Log{"first", "second"});
  });
}

TEST_CASE("a task parked by hand is woken by reschedule [R:232]") {
  run([] {
    Log log;
    trio::open_nursery([&](trio::Nursery& nursery) {
      trio::Task* parked = nullptr;
      nursery.start_soon([&] {
        parked = &trio::lowlevel::current_task();
        park();
        log.push_back("woken");
        CHECK_THROWS_AS(park(), KeyError);
        log.push_back("woken with an error");
      });
      wait_all_tasks_blocked();
      CHECK(log.empty());
      reschedule(*parked);
      wait_all_tasks_blocked();
      CHECK(log == Log{"woken"});
      reschedule(*parked, std::make_exception_ptr(KeyError()));
      nursery.join();
    });
    CHECK(log == Log{"woken", "woken with an error"});
  });
}

TEST_CASE("an error given to reschedule is thrown as the object it is") {
  run([] {
    auto const given = std::make_exception_ptr(KeyError());
    std::exception_ptr thrown;
    trio::open_nursery([&](trio::Nursery& nursery) {
      trio::Task* parked = nullptr;
      nursery.start_soon([&] {
        parked = &trio::lowlevel::current_task();
        thrown = thrown_by([] { park(); });
      });
      wait_all_tasks_blocked();
      reschedule(*parked, given);
      nursery.join();
    });
    CHECK(thrown == given);
  });
}

TEST_CASE("a task can be rescheduled only once a park") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      trio::Task* parked = nullptr;
      nursery.start_soon([&] {
        parked = &trio::lowlevel::current_task();
        park();
      });
      wait_all_tasks_blocked();
      reschedule(*parked);
      CHECK_THROWS_AS(reschedule(*parked), trio::MisuseError);
      CHECK_THROWS_AS(reschedule(trio::lowlevel::current_task()), trio::MisuseError);
      nursery.join();
    });
  });
}

TEST_CASE("a rescheduled operation is done: a cancellation after it hits the next checkpoint") {
  run([] {
    trio::CancelScope scope;
    Log log;
    int aborted = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      trio::Task* parked = nullptr;
      nursery.start_soon([&] {
        within(scope, [&] {
          parked = &trio::lowlevel::current_task();
          park(Abort::succeeded, aborted);
          log.push_back("operation done");
          checkpoint();
          log.push_back("not reached");
        });
      });
      wait_all_tasks_blocked();
      reschedule(*parked);
      scope.cancel();
      nursery.join();
    });
    CHECK(log == Log{"operation done"});
    CHECK(aborted == 0);
    CHECK(scope.cancelled_caught());
  });
}

TEST_CASE(
    "an operation that cannot be aborted goes on, and the cancellation is not lost [R:1000]") {
  run([] {
    Log log;
    int aborted = 0;
    trio::CancelScope scope;
    trio::open_nursery([&](trio::Nursery& nursery) {
      trio::Task* parked = nullptr;
      nursery.start_soon([&] {
        within(scope, [&] {
          parked = &trio::lowlevel::current_task();
          park(Abort::failed, aborted);
          log.push_back("woke");
          CHECK_THROWS_AS(checkpoint(), trio::Cancelled);
          log.push_back("cancelled");
        });
      });
      wait_all_tasks_blocked();
      scope.cancel();
      CHECK(aborted == 1);
      wait_all_tasks_blocked();
      CHECK(log.empty());
      reschedule(*parked);
      nursery.join();
    });
    CHECK(log == Log{"woke", "cancelled"});
  });
}

TEST_CASE("an abort function is called once a park, whatever else is cancelled") {
  run([] {
    int aborted = 0;
    trio::CancelScope outer;
    trio::CancelScope inner;
    trio::open_nursery([&](trio::Nursery& nursery) {
      trio::Task* parked = nullptr;
      nursery.start_soon([&] {
        within(outer, [&] {
          within(inner, [&] {
            parked = &trio::lowlevel::current_task();
            park(Abort::failed, aborted);
            CHECK_THROWS_AS(park(Abort::succeeded, aborted), trio::Cancelled);
          });
        });
      });
      wait_all_tasks_blocked();
      outer.cancel();
      CHECK(aborted == 1);
      // Taken back, and come again.
      inner.set_shield(true);
      inner.set_shield(false);
      inner.cancel();
      CHECK(aborted == 1);
      reschedule(*parked);
      nursery.join();
      CHECK(aborted == 2);
    });
  });
}

TEST_CASE("an operation begun in a cancelled scope is aborted, after others have run") {
  run([] {
    bool ran = false;
    int aborted = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { ran = true; });
      trio::CancelScope scope;
      within(scope, [&] {
        scope.cancel();
        CHECK_THROWS_AS(park(Abort::succeeded, aborted), trio::Cancelled);
        CHECK(ran);
        CHECK(aborted == 1);
      });
    });
  });
}

TEST_CASE("an abort function may keep the cancellation and have it thrown later [R:1654]") {
  run([] {
    Log log;
    trio::CancelScope scope;
    within(scope, [&] {
      scope.cancel("slowly");
      auto const error = thrown_by([&] { park_with_slow_abort(log); });
      REQUIRE(matches(error, of<trio::Cancelled>()));
      CHECK(trio::exception_cast<trio::Cancelled>(error)->reason().reason == "slowly");
    });
    CHECK(log == Log{"abort called"});
  });
}

TEST_CASE("a cancellation that was kept is thrown even if a shield has come meanwhile [R:1670]") {
  run([] {
    Log log;
    trio::CancelScope outer;
    trio::CancelScope inner;
    within(outer, [&] {
      within(inner, [&] {
        trio::open_nursery([&](trio::Nursery& nursery) {
          nursery.start_soon([&] {
            CHECK_THROWS_AS(park_with_slow_abort(log), trio::Cancelled);
            log.push_back("cancelled");
            checkpoint();
            log.push_back("shielded");
          });
          wait_all_tasks_blocked();
          outer.cancel();
          CHECK(log == Log{"abort called"});
          inner.cancel();
          CHECK(log == Log{"abort called"});
          nursery.cancel_scope().set_shield(true);
        });
      });
    });
    CHECK(log == Log{"abort called", "cancelled", "shielded"});
  });
}

TEST_CASE("an abort function may be a plain function") {
  run([] {
    trio::CancelScope scope;
    scope.cancel();
    within(scope, [] { wait_task_rescheduled(undo_nothing); });
    CHECK(scope.cancelled_caught());
  });
}

TEST_CASE("an abort function may cancel another scope") {
  run([] {
    trio::CancelScope first;
    trio::CancelScope second;
    Log log;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        within(first, [&] {
          wait_task_rescheduled([&](RaiseCancel const&) {
            second.cancel();
            return Abort::succeeded;
          });
        });
        log.push_back("first");
      });
      nursery.start_soon([&] {
        within(second, [] { trio::sleep_forever(); });
        log.push_back("second");
      });
      wait_all_tasks_blocked();
      first.cancel();
    });
    CHECK(log.size() == 2);
    CHECK(first.cancelled_caught());
    CHECK(second.cancelled_caught());
  });
}

TEST_CASE("an abort function may cancel what its own canceller is still cancelling") {
  run([] {
    trio::CancelScope outer;
    int ended = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      std::vector<std::unique_ptr<trio::CancelScope>> scopes;
      for (int i = 0; i < 4; ++i) scopes.push_back(std::make_unique<trio::CancelScope>());
      within(outer, [&] {
        trio::open_nursery([&](trio::Nursery& inside) {
          for (auto& scope : scopes)
            inside.start_soon([&] {
              within(*scope, [&] {
                wait_task_rescheduled([&](RaiseCancel const&) {
                  for (auto& each : scopes) each->cancel();
                  return Abort::succeeded;
                });
              });
              ++ended;
            });
          nursery.start_soon([&] { outer.cancel(); });
          trio::sleep_forever();
        });
      });
      CHECK(outer.cancelled_caught());
      // Each has gone with outer's Cancelled.
      CHECK(ended == 0);
    });
  });
}

TEST_CASE("an error that wakes a task in a handler leaves the handler's own intact [R:1267]") {
  auto const error = thrown_by([] {
    run([] {
      trio::open_nursery([](trio::Nursery& nursery) {
        trio::Task* parked = nullptr;
        nursery.start_soon([&] {
          try {
            throw ValueError();
          } catch (ValueError const&) {
            parked = &trio::lowlevel::current_task();
            try {
              park();
            } catch (KeyError const&) {}
            throw;
          }
        });
        wait_all_tasks_blocked();
        reschedule(*parked, std::make_exception_ptr(KeyError()));
        nursery.join();
      });
    });
  });
  CHECK(matches(error, group(of<ValueError>())));
}

TEST_CASE("hidden: abort function throws" * doctest::skip()) {
  die_by_default();
  run([] {
    trio::CancelScope scope;
    scope.cancel();
    within(scope, [] {
      wait_task_rescheduled([](RaiseCancel const&) -> Abort { throw KeyError("from abort"); });
    });
  });
}

TEST_CASE("an abort function that throws ends the program [R:1033]") {
  auto const ending = run_hidden_case("hidden: abort function throws");
  CHECK(ending.signal == SIGABRT);
  CHECK(ending.says("from abort"));
}

TEST_CASE("abort functions answer yes or no, by the compiler's word [R:1033]") {
  auto const answers = [](RaiseCancel const&) { return Abort::failed; };
  auto const answers_nothing = [](RaiseCancel const&) {};
  static_assert(std::is_invocable_r_v<Abort, decltype(answers)&, RaiseCancel const&>);
  static_assert(!std::is_invocable_r_v<Abort, decltype(answers_nothing)&, RaiseCancel const&>);
}

TEST_CASE("wait_all_tasks_blocked can be cancelled, and leaves nothing behind [te:54]") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      trio::CancelScope scope;
      nursery.start_soon([&] {
        within(scope, [] { wait_all_tasks_blocked(10h); });
        CHECK(scope.cancelled_caught());
      });
      wait_all_tasks_blocked();
      scope.cancel();
      nursery.join();
      trio::sleep(1s);
    });
  });
}

TEST_CASE("who waits for all tasks to block, and is rescheduled by hand, is forgotten") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      trio::Task* waiter = nullptr;
      nursery.start_soon([&] {
        waiter = &trio::lowlevel::current_task();
        wait_all_tasks_blocked(10h);
      });
      wait_all_tasks_blocked();
      trio::lowlevel::reschedule(*waiter);
      nursery.join();
      trio::sleep(1s);
    });
  });
}

TEST_CASE("a negative cushion is refused, and the run goes on") {
  run([] {
    CHECK_THROWS_AS(wait_all_tasks_blocked(-1ns), std::invalid_argument);
    wait_all_tasks_blocked();
  });
}

TEST_CASE("a clock that says a negative time to sleep is asked again at once") {
  HastyClock clock;
  trio::RunOptions options;
  options.clock = &clock;
  trio::run(options, [] { trio::sleep(5s); });
}

TEST_CASE("hidden: the clock throws in the run loop" * doctest::skip()) {
  die_by_default();
  BrokenClock clock;
  trio::RunOptions options;
  options.clock = &clock;
  trio::run(options, [&] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon(trio::sleep_forever);
      clock.broken = true;
      trio::sleep(1s);
    });
  });
}

TEST_CASE("hidden: the kernel refuses to wait for events" * doctest::skip()) {
  die_by_default();
  trio::run([] {
    refuse_calls(SYS_epoll_pwait2, EBADF);
#ifdef SYS_epoll_wait
    // That is how it waits under ThreadSanitizer.
    refuse_calls(SYS_epoll_wait, EBADF);
#endif
    trio::sleep(1s);
  });
}

TEST_CASE("a run loop that cannot go on ends the program with a sentence, and abandons no task") {
  auto ending = run_hidden_case("hidden: the clock throws in the run loop");
  check_died_of(ending, SIGABRT);
  CHECK(ending.says("trio: the run loop failed; no task can go on: support::KeyError: no time\n"));
  ending = run_hidden_case("hidden: the kernel refuses to wait for events");
  check_died_of(ending, SIGABRT);
  CHECK(
      ending.says("trio: the run loop failed; no task can go on: std::system_error: trio: epoll"));
}

TEST_CASE("hidden: the kernel does not know epoll_pwait2" * doctest::skip()) {
  refuse_calls(SYS_epoll_pwait2, ENOSYS);
  trio::run([] {
    auto const start = trio::current_time();
    trio::sleep(1500us);
    trio::sleep(1ns);
    CHECK(trio::current_time() - start >= 1500us);
    wait_all_tasks_blocked(1us);
    trio::open_nursery([](trio::Nursery& nursery) {
      auto const token = trio::lowlevel::current_trio_token();
      std::jthread const other([token, &nursery] {
        token.run_sync_soon([&nursery] { nursery.cancel_scope().cancel(); });
      });
      trio::sleep_forever();
    });
    // Rounded up, a short sleep visits the kernel once and not until its time has come.
    auto const polls = trio::lowlevel::current_statistics().polls;
    trio::sleep(100us);
    CHECK(trio::lowlevel::current_statistics().polls <= polls + 2);
  });
}

TEST_CASE("on a kernel older than 5.11 the run loop sleeps in whole milliseconds") {
  auto const ending = run_hidden_case("hidden: the kernel does not know epoll_pwait2");
  INFO(ending.errors);
  CHECK(ending.signal == 0);
  CHECK(ending.exit_code == 0);
}

TEST_CASE("what belongs to one thread's run is refused in another's, and goes on as before") {
  trio::run([] {
    trio::Event event;
    trio::lowlevel::ParkingLot lot;
    trio::CancelScope scope;
    auto [sender, receiver] = trio::open_memory_channel<std::string>(0);
    auto [full, rest] = trio::open_memory_channel<std::string>(0);
    trio::Task* parked = nullptr;
    Log log;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        event.wait();
        log.push_back("event");
      });
      nursery.start_soon([&] {
        lot.park();
        log.push_back("lot");
      });
      nursery.start_soon([&] { log.push_back(receiver.receive()); });
      nursery.start_soon([&] { full.send("sent"); });
      nursery.start_soon([&] {
        parked = &trio::lowlevel::current_task();
        park();
        log.push_back("task");
      });
      nursery.start_soon([&] { within(scope, trio::sleep_forever); });
      wait_all_tasks_blocked();

      std::thread([&] {
        run([&] {
          CHECK_THROWS_AS(event.set(), trio::MisuseError);
          CHECK_THROWS_AS(lot.unpark_one(), trio::MisuseError);
          CHECK_THROWS_AS(lot.unpark_all(), trio::MisuseError);
          CHECK_THROWS_AS(sender.send_nowait("foreign"), trio::MisuseError);
          CHECK_THROWS_AS(rest.receive_nowait(), trio::MisuseError);
          CHECK_THROWS_AS(reschedule(*parked), trio::MisuseError);
          CHECK_THROWS_AS(nursery.start_soon(checkpoint), trio::MisuseError);
          CHECK_THROWS_AS(nursery.start<int>([](trio::TaskStatus<int>&) {}), trio::MisuseError);
          CHECK_THROWS_AS(scope.cancel(), trio::MisuseError);
          CHECK_THROWS_AS(scope.set_deadline(trio::expired), trio::MisuseError);
          CHECK_THROWS_AS(scope.set_shield(true), trio::MisuseError);
          checkpoint();
        });
      }).join();

      CHECK(!event.is_set());
      CHECK(lot.size() == 1);
      CHECK(!scope.cancel_called());
      CHECK(nursery.child_task_count() == 6);
      wait_all_tasks_blocked();
      CHECK(log.empty());
      event.set();
      lot.unpark_one();
      sender.send_nowait("value");
      CHECK(rest.receive_nowait() == "sent");
      reschedule(*parked);
      scope.cancel();
      nursery.join();
    });
    CHECK(log == Log{"event", "lot", "value", "task"});
  });
}
