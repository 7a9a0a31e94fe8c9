// SPDX-License-Identifier: BSL-1.0
#include "../sanitized.hpp"
#include "child_process.hpp"
#include "support.hpp"

#include <atomic>
#include <cstdint>
#include <exception>
#include <fstream>
#include <functional>
#include <mutex>
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
