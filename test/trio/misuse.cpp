// SPDX-License-Identifier: BSL-1.0
#include "../child_process.hpp"
#include "../sanitized.hpp"
#include "support.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <exception>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

using namespace support;
using trio::lowlevel::checkpoint;

// What cannot work says so in a sentence. Calls outside of a run: run.cpp.
namespace {

template <class F> std::string refusal(F&& fn) {
  auto const error = thrown_by(std::forward<F>(fn));
  auto const* misuse = trio::exception_cast<trio::MisuseError>(error);
  return misuse ? misuse->what() : "no MisuseError: " + (error ? trio::describe(error) : "nothing");
}

bool says(std::string const& text, char const* part) {
  CHECK_MESSAGE(text.find(part) != std::string::npos, text);
  return text.find(part) != std::string::npos;
}

std::vector<std::function<void()>> const waits = {
    [] { checkpoint(); },
    [] { trio::lowlevel::checkpoint_if_cancelled(); },
    [] { trio::lowlevel::cancel_shielded_checkpoint(); },
    [] { trio::sleep(0s); },
    [] { trio::sleep(1s); },
    [] { trio::sleep_forever(); },
    [] { trio::Event().wait(); },
    [] { trio::Lock().acquire(); },
    [] { trio::open_nursery([](trio::Nursery&) { FAIL("it was opened"); }); },
    [] { trio::testing::wait_all_tasks_blocked(); },
    [] { trio::to_thread::run([] { FAIL("a thread was started"); }); },
    [] { trio::lowlevel::wait_readable(0); },
};

}  // namespace

TEST_CASE("the initialiser of a static variable must not wait") {
  run([] {
    for (auto const& wait : waits) {
      auto const text = refusal([&] {
        static int const value = (wait(), 7);
        static_cast<void>(value);
        FAIL("it was initialised");
      });
      CHECK(says(text, "trio: the initialiser of a static variable must not wait"));
    }
    checkpoint();
    // What was refused may be tried again; what does not wait is fine.
    static int const value = 7;
    static std::string const text("initialised at run time");
    CHECK(text.size() + value > 7);
    checkpoint();
  });
}

TEST_CASE("a static variable in a static variable's initialiser is no way out") {
  run([] {
    auto const text = refusal([] {
      static int const outer = [] {
        static std::string const inner("inner");
        checkpoint();
        return 7;
      }();
      static_cast<void>(outer);
    });
    CHECK(says(text, "static variable"));
    checkpoint();
  });
}

TEST_CASE("the function of call_once must not wait") {
  run([] {
    for (auto const& wait : waits) {
      std::once_flag flag;
      CHECK(says(refusal([&] { std::call_once(flag, wait); }),
                 "trio: the function of std::call_once must not wait"));
      // ThreadSanitizer's call_once is never over when its function throws.
      if (support::under_tsan) continue;
      int called = 0;
      std::call_once(flag, [&] { ++called; });
      CHECK(called == 1);
    }
    checkpoint();
  });
}

TEST_CASE("a whole run may live in an initialiser or in call_once") {
  static int const value = trio::run([] {
    checkpoint();
    CHECK(says(refusal([] {
                 static int const inner = (checkpoint(), 7);
                 static_cast<void>(inner);
               }),
               "static variable"));
    return 7;
  });
  CHECK(value == 7);
  std::once_flag flag;
  std::call_once(flag, [] {
    trio::run([] {
      checkpoint();
      std::once_flag inner;
      CHECK(says(refusal([&] { std::call_once(inner, checkpoint); }), "std::call_once"));
      // From here on libstdc++ does not know any more that there is one around it all.
      checkpoint();
      trio::sleep(1us);
    });
  });
}

TEST_CASE("threads that come to a static variable together wait for the one that is first") {
  // Constant: not what is tested.
  static constinit std::atomic<bool> entered = false;
  static constinit std::atomic<bool> go_on = false;
  std::atomic<int> made = 0;
  auto const get = [&] {
    static int const value = [&] {
      entered = true;
      entered.notify_all();
      go_on.wait(false);
      return ++made;
    }();
    return value;
  };
  std::vector<std::thread> crowd;
  std::atomic<int> seen = 0;
  for (int i = 0; i < 4; ++i) crowd.emplace_back([&] { seen += get(); });
  entered.wait(false);
  go_on = true;
  go_on.notify_all();
  for (auto& thread : crowd) thread.join();
  CHECK(seen == 4);
}

namespace {

// The functions that compilers call around the initialiser of a static variable.
struct GuardFunctions {
  int (*acquire)(void* guard);
  void (*release)(void* guard);
};

// "sleeping" is S.
char state_of_thread(pid_t thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
  std::string text;
  std::getline(file, text);
  return text.at(text.rfind(')') + 2);
}

}  // namespace

TEST_CASE("a static variable may be waited for by libstdc++'s own functions, too") {
  void* const library = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);
  if (!library) return;
  auto const find = [](void* where) {
    return GuardFunctions{reinterpret_cast<int (*)(void*)>(dlsym(where, "__cxa_guard_acquire")),
                          reinterpret_cast<void (*)(void*)>(dlsym(where, "__cxa_guard_release"))};
  };
  GuardFunctions const ours = find(RTLD_DEFAULT);
  GuardFunctions const theirs = find(library);
  bool const replaced = ours.acquire != theirs.acquire;
  CHECK(replaced);
  for (auto const& [first, second] : {std::pair(ours, theirs), std::pair(theirs, ours)}) {
    std::uint64_t guard = 0;
    std::atomic<pid_t> waiting = 0;
    int answer = -1;
    CHECK(first.acquire(&guard) == 1);
    std::thread late([&] {
      waiting = gettid();
      waiting.notify_all();
      answer = second.acquire(&guard);
    });
    waiting.wait(0);
    while (state_of_thread(waiting) != 'S') std::this_thread::yield();
    first.release(&guard);
    late.join();
    CHECK(answer == 0);
  }
  dlclose(library);
}

TEST_CASE("an initialiser that throws lets the next one try") {
  int tries = 0;
  auto const get = [&] {
    static int const value = [&] {
      if (++tries < 3) throw KeyError();
      return tries;
    }();
    return value;
  };
  CHECK_THROWS_AS(get(), KeyError);
  CHECK_THROWS_AS(get(), KeyError);
  CHECK(get() == 3);
  CHECK(get() == 3);
}

namespace {

// A call, and a part of the sentence that it is refused with.
struct Refused {
  char const* part;
  std::function<void()> call;
};

// Calls `fn` in a run of another thread.
void in_another_run(std::function<void()> const& fn) {
  trio::to_thread::run([&] { trio::run(fn); });
}

// Has the task that `wait` parks rescheduled by hand; throws what it throws then.
void reschedule_in(std::function<void()> const& wait) {
  std::exception_ptr error;
  trio::open_nursery([&](trio::Nursery& nursery) {
    trio::Task* waiter = nullptr;
    nursery.start_soon([&] {
      waiter = &trio::lowlevel::current_task();
      error = thrown_by(wait);
    });
    trio::testing::wait_all_tasks_blocked();
    trio::lowlevel::reschedule(*waiter);
  });
  if (error) std::rethrow_exception(error);
}

// A nursery's task does it, not its body.
void in_a_child(std::function<void(trio::Nursery&)> const& fn) {
  std::exception_ptr error;
  trio::open_nursery([&](trio::Nursery& nursery) {
    nursery.start_soon([&] { error = thrown_by([&] { fn(nursery); }); });
  });
  if (error) std::rethrow_exception(error);
}

std::vector<Refused> const refused_in_a_run = {
    {"this thread is already inside trio::run; call your function directly",
     [] { trio::run([] {}); }},
    {"this thread is already inside a run",
     [] {
       trio::GuestHost host{[](std::function<void()> const&) {}};
       trio::start_guest_run(
           host, {}, [] {}, [](trio::GuestOutcome<void> const&) {});
     }},
    {"the nursery is closed: its block has ended, no task can be started",
     [] {
       trio::Event last_moment;
       in_a_child([&](trio::Nursery& outer) {
         trio::open_nursery([&](trio::Nursery& inner) {
           inner.start_soon([&] { last_moment.wait(); });
           outer.start_soon([&] {
             trio::testing::wait_all_tasks_blocked();
             last_moment.set();
             // Its last task ends meanwhile; it is there until its block goes on.
             trio::lowlevel::cancel_shielded_checkpoint();
             inner.start_soon([] {});
           });
         });
       });
     }},
    {"the nursery belongs to a run of another thread; ask that run with TrioToken::run_sync_soon",
     [] {
       trio::open_nursery([](trio::Nursery& nursery) {
         auto const error = thrown_by([&] { in_another_run([&] { nursery.start_soon([] {}); }); });
         std::rethrow_exception(error);
       });
     }},
    {"the CancelScope belongs to a run of another thread; ask that run with TrioToken",
     [] {
       trio::CancelScope scope;
       within(scope, [&] { in_another_run([&] { scope.cancel(); }); });
     }},
    {"the task to be woken belongs to a run of another thread; ask that run with TrioToken",
     [] {
       trio::Task& task = trio::lowlevel::current_task();
       in_another_run([&] { trio::lowlevel::reschedule(task); });
     }},
    {"the task is not parked in wait_task_rescheduled, or was rescheduled already",
     [] { trio::lowlevel::reschedule(trio::lowlevel::current_task()); }},
    {"the task is not parked in wait_task_rescheduled, or was rescheduled already",
     [] {
       trio::open_nursery([](trio::Nursery& nursery) {
         trio::Task* sleeper = nullptr;
         nursery.start_soon([&] {
           sleeper = &trio::lowlevel::current_task();
           trio::lowlevel::wait_task_rescheduled(
               [](trio::lowlevel::RaiseCancel const&) { return trio::lowlevel::Abort::failed; });
         });
         trio::testing::wait_all_tasks_blocked();
         trio::lowlevel::reschedule(*sleeper);
         trio::lowlevel::reschedule(*sleeper);
       });
     }},
    {"nursery.join() waits inside the nursery's body; a task of the nursery would wait for itself",
     [] { in_a_child([](trio::Nursery& nursery) { nursery.join(); }); }},
    {"the task ended without calling task_status.started()",
     [] {
       trio::open_nursery(
           [](trio::Nursery& nursery) { nursery.start([](trio::TaskStatus<void>&) {}); });
     }},
    {"task_status.started() was called twice",
     [] {
       trio::open_nursery([](trio::Nursery& nursery) {
         nursery.start([](trio::TaskStatus<int>& status) {
           status.started(1);
           status.started(2);
         });
       });
     }},
    {"the nursery's own scope was cancelled before the body returned its value; let the body "
     "return void or a std::optional",
     [] {
       trio::open_nursery([](trio::Nursery& nursery) {
         nursery.cancel_scope().cancel();
         checkpoint();
         return 7;
       });
     }},
    {"this scope's deadline is relative; it has none until it is entered",
     [] { static_cast<void>(trio::CancelScope::after(1s).deadline()); }},
    {"this task holds the lock already",
     [] {
       trio::Lock lock;
       lock.acquire();
       AtEnd const end{[&] { lock.release(); }};
       lock.acquire();
     }},
    {"this task does not hold the lock it releases", [] { trio::Lock().release(); }},
    {"this task does not hold the lock of the condition", [] { trio::Condition().wait(); }},
    {"this task does not hold the lock of the condition", [] { trio::Condition().notify(); }},
    {"this semaphore was released more often than it was acquired",
     [] { trio::Semaphore(1, 1).release(); }},
    {"this borrower has a token of the limiter already, or waits for one; each may have one at a "
     "time",
     [] {
       trio::CapacityLimiter limiter(2);
       limiter.acquire();
       limiter.acquire();
     }},
    {"this borrower has no token of the limiter to give back",
     [] { trio::CapacityLimiter(1).release(); }},
    {"from_thread blocks the thread that calls it, and this one is inside trio::run; call the "
     "function directly",
     [] { trio::from_thread::run([] {}); }},
    {"from_thread blocks the thread that calls it, and this one is inside trio::run",
     [] { trio::from_thread::run_sync(trio::lowlevel::current_trio_token(), [] {}); }},
    {"this thread was not started by to_thread::run; give from_thread a TrioToken of the run",
     [] {
       std::exception_ptr error;
       std::thread([&] { error = thrown_by([] { trio::from_thread::run_sync([] {}); }); }).join();
       std::rethrow_exception(error);
     }},
    {"this token is another RunVar's, or was used already: each set() can be undone once",
     [] {
       static trio::lowlevel::RunVar<int> const variable;
       auto token = variable.set(std::make_shared<int>(1));
       variable.reset(token);
       variable.reset(token);
     }},
    {"the run is ending; no system task can be started",
     [] {
       struct Late : trio::Instrument {
         std::exception_ptr error;

         void task_exited(trio::Task& task) override {
           if (!task.parent_nursery())
             error = thrown_by([] { trio::lowlevel::spawn_system_task("late", [] {}); });
         }
       } late;

       in_another_run([&] { trio::lowlevel::add_instrument(late); });
       if (late.error) std::rethrow_exception(late.error);
     }},
    {"this instrument is not in the run; it was never added, or was removed, perhaps because it "
     "has thrown",
     [] {
       trio::Instrument instrument;
       trio::lowlevel::remove_instrument(instrument);
     }},
    {"this task is not a breaker of this parking lot",
     [] {
       trio::lowlevel::ParkingLot lot;
       trio::lowlevel::remove_parking_lot_breaker(trio::lowlevel::current_task(), lot);
     }},
    {"a Value was set by a condition that it is asked for",
     [] {
       trio::Value<int> value;
       in_a_child([&](trio::Nursery& nursery) {
         nursery.start_soon([&] { value.set(1); });
         value.until_matches([&](int now) {
           if (now == 1) value.set(2);
           return false;
         });
       });
     }},
    {"a sleeping task was rescheduled by hand", [] { reschedule_in([] { trio::sleep(1h); }); }},
    {"a task in sleep_forever was rescheduled by hand", [] { reschedule_in(trio::sleep_forever); }},
    {"a task parked in a ParkingLot was rescheduled by hand",
     [] {
       trio::Event event;
       reschedule_in([&] { event.wait(); });
     }},
    {"a task waiting at a memory channel was rescheduled by hand",
     [] {
       auto channel = trio::open_memory_channel<int>(0);
       reschedule_in([&] { channel.sender.send(1); });
     }},
    {"a task waiting upon a Value was rescheduled by hand",
     [] {
       trio::Value<int> value;
       reschedule_in([&] { value.until_equals(1); });
     }},
    {"a task waiting for a descriptor was rescheduled by hand",
     [] {
       auto const pipe = trio::open_pipe();
       reschedule_in([&] { trio::lowlevel::wait_readable(pipe.receiver.fd()); });
     }},
    {"Sequencer: turn 1 is taken twice",
     [] {
       trio::testing::Sequencer sequencer;
       in_a_child([&](trio::Nursery& nursery) {
         AtEnd const end{[&] { nursery.cancel_scope().cancel(); }};
         nursery.start_soon([&] { sequencer.enter(1, [] {}); });
         checkpoint();
         sequencer.enter(1, [] {});
       });
     }},
    {"Sequencer: the sequence is broken, a task was cancelled",
     [] {
       trio::testing::Sequencer sequencer;
       static_cast<void>(trio::move_on_after(0s, [&] { sequencer.enter(1, [] {}); }));
       sequencer.enter(0, [] {});
     }},
    {"this SignalReceiver was moved from",
     [] {
       auto receiver = trio::open_signal_receiver({SIGUSR1});
       auto const other = std::move(receiver);
       receiver.receive();
     }},
    {"there is a TaskTreeOnSignal in this process already",
     [] {
       trio::TaskTreeOnSignal const first;
       trio::TaskTreeOnSignal const second;
     }},
    {"a block ended without having lent anything",
     [] { trio::gather([](trio::Lend<int>) {}, [](int) {}); }},
    {"a block lends once; its trio::Lend was called a second time",
     [] {
       trio::gather(
           [](trio::Lend<int> lend) {
             lend(1);
             lend(2);
           },
           [](int) {});
     }},
};

}  // namespace

TEST_CASE("every refusal is a sentence that tells what is wrong") {
  for (auto const& [part, call] : refused_in_a_run) {
    CAPTURE(std::string(part));
    // What the other tasks of a nursery throw comes in a group.
    auto const error = thrown_by([&call = call] { run([&] { call(); }); });
    auto const* group = trio::exception_cast<trio::BaseExceptionGroup>(error);
    auto const* misuse =
        group ? group->find<trio::MisuseError>() : trio::exception_cast<trio::MisuseError>(error);
    REQUIRE_MESSAGE(misuse, (error ? trio::describe(error) : "nothing"));
    CHECK(std::string(misuse->what()).starts_with("trio"));
    CHECK(says(misuse->what(), part));
  }
}

TEST_CASE("what needs a run or a task says which of the two") {
  std::vector<std::function<void()>> const need_a_run = {
      [] { static_cast<void>(trio::current_time()); },
      [] { static_cast<void>(trio::lowlevel::current_trio_token()); },
      [] { static_cast<void>(trio::lowlevel::current_statistics()); },
      [] { trio::lowlevel::spawn_system_task("none", [] {}); },
      [] { static_cast<void>(trio::open_signal_receiver({SIGUSR1})); },
  };
  for (auto const& call : need_a_run)
    CHECK(says(refusal(call), "trio: this must be called inside trio::run"));
  for (auto const& wait : waits) CHECK(says(refusal(wait), "inside trio::run"));
  CHECK(says(refusal(checkpoint), "trio: this must be called from a task, inside trio::run"));
}

TEST_CASE("a scope used twice is refused") {
  run([] {
    trio::CancelScope scope;
    within(scope, [&] {
      CHECK(says(refusal([&] { within(scope, [] {}); }), "this CancelScope was entered before"));
    });
    CHECK(says(refusal([&] { within(scope, [] {}); }), "make a new one for each block"));
  });
}

namespace {

void waits_noexcept() noexcept { trio::sleep_forever(); }

struct WaitsAtItsEnd {
  ~WaitsAtItsEnd() { checkpoint(); }
};

}  // namespace

TEST_CASE("hidden: a noexcept function is cancelled" * doctest::skip()) {
  die_by_default();
  trio::run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      nursery.start_soon({.name = "victim"}, waits_noexcept);
      trio::testing::wait_all_tasks_blocked();
      nursery.cancel_scope().cancel();
    });
  });
}

TEST_CASE("hidden: a destructor is cancelled" * doctest::skip()) {
  die_by_default();
  trio::run([] {
    trio::CancelScope scope;
    scope.cancel();
    static_cast<void>(scope.enter([] { WaitsAtItsEnd const waits_at_its_end; }));
  });
}

TEST_CASE("hidden: a nursery in a noexcept function is cancelled" * doctest::skip()) {
  die_by_default();
  trio::run([] {
    trio::CancelScope scope;
    scope.cancel();
    static_cast<void>(scope.enter([]() noexcept {
      trio::open_nursery([](trio::Nursery& nursery) { nursery.start_soon(trio::sleep_forever); });
    }));
  });
}

TEST_CASE("a cancellation that meets a noexcept function ends the program with a sentence") {
  auto const ending = run_hidden_case("hidden: a noexcept function is cancelled");
  check_died_of(ending, SIGABRT);
  CHECK(ending.says("trio: a cancellation could not leave a function that is noexcept"));
  CHECK(ending.says("in task 'victim'"));
  // The handler that was there before has its say as well.
  CHECK(ending.says("terminate called"));
  for (char const* name : {"hidden: a destructor is cancelled",
                           "hidden: a nursery in a noexcept function is cancelled"}) {
    auto const other = run_hidden_case(name);
    check_died_of(other, SIGABRT);
    CHECK(other.says("trio: a cancellation could not leave"));
  }
}

TEST_CASE("hidden: an error meets a noexcept function" * doctest::skip()) {
  die_by_default();
  trio::run([]() noexcept { std::rethrow_exception(std::make_exception_ptr(KeyError())); });
}

TEST_CASE("other ends of the program are none of trio's business") {
  auto const ending = run_hidden_case("hidden: an error meets a noexcept function");
  check_died_of(ending, SIGABRT);
  CHECK_FALSE(ending.says("trio:"));
  CHECK(ending.says("terminate called"));
}
