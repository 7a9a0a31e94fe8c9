// SPDX-License-Identifier: BSL-1.0
#include "../child_process.hpp"
#include "../sanitized.hpp"
#include "support.hpp"

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <boost/fiber/operations.hpp>
#include <sys/resource.h>

using namespace support;
using trio::lowlevel::checkpoint;
using trio::lowlevel::spawn_system_task;
using trio::testing::wait_all_tasks_blocked;

namespace {

int add(int left, int right) { return left + right; }

// While it lives, the process can open no more files.
class NoMoreFiles {
 public:
  NoMoreFiles() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit none = before_;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
  }

  NoMoreFiles(NoMoreFiles const&) = delete;
  NoMoreFiles& operator=(NoMoreFiles const&) = delete;

  ~NoMoreFiles() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_ = {};
};

// The cause of the TrioInternalError that `fn` throws.
template <class F> std::exception_ptr internal_error_of(F&& fn) {
  auto const error = thrown_by(std::forward<F>(fn));
  auto const* internal = trio::exception_cast<trio::TrioInternalError>(error);
  REQUIRE_MESSAGE(internal, trio::describe(error));
  return internal->cause();
}

}  // namespace

TEST_CASE("run() returns what main returns") {
  CHECK(trio::run([] { return 7; }) == 7);
  CHECK(trio::run([] { return std::string("text"); }) == "text");
  CHECK(*trio::run([] { return std::make_unique<int>(7); }) == 7);
}

TEST_CASE("run() passes its arguments on to main") {
  CHECK(trio::run(add, 3, 4) == 7);
  CHECK(trio::run([](std::unique_ptr<int> owned) { return *owned; }, std::make_unique<int>(7)) ==
        7);
  int counter = 0;
  trio::run([](int& shared) { ++shared; }, std::ref(counter));
  CHECK(counter == 1);
  trio::RunOptions options;
  CHECK(trio::run(options, add, 3, 4) == 7);
}

TEST_CASE("run() throws what main throws, as the object it is") {
  auto const thrown = std::make_exception_ptr(KeyError());
  CHECK(thrown_by([&] { trio::run([&] { std::rethrow_exception(thrown); }); }) == thrown);
  CHECK_THROWS_AS(trio::run([]() -> int { throw 7; }), int);
}

TEST_CASE("run() can be called again, after an error too") {
  for (int i = 0; i < 3; ++i) {
    CHECK_THROWS_AS(trio::run([] { throw KeyError(); }), KeyError);
    CHECK(trio::run([i] { return i; }) == i);
  }
}

TEST_CASE("run() inside run() is refused, and the run goes on [R:106]") {
  trio::run([] {
    CHECK_THROWS_AS(trio::run([] {}), trio::MisuseError);
    checkpoint();
  });
}

TEST_CASE("a call that needs a run or a task says so outside of it [R:300]") {
  trio::CancelScope scope;
  CHECK_FALSE(trio::lowlevel::in_task());
  CHECK_THROWS_AS(static_cast<void>(trio::current_time()), trio::MisuseError);
  CHECK_THROWS_AS(static_cast<void>(trio::RunClock::now()), trio::MisuseError);
  CHECK_THROWS_AS(static_cast<void>(trio::current_effective_deadline()), trio::MisuseError);
  CHECK_THROWS_AS(trio::sleep(0s), trio::MisuseError);
  CHECK_THROWS_AS(trio::sleep(1s), trio::MisuseError);
  CHECK_THROWS_AS(trio::sleep_until(trio::never), trio::MisuseError);
  CHECK_THROWS_AS(trio::sleep_forever(), trio::MisuseError);
  CHECK_THROWS_AS(checkpoint(), trio::MisuseError);
  CHECK_THROWS_AS(trio::lowlevel::checkpoint_if_cancelled(), trio::MisuseError);
  CHECK_THROWS_AS(trio::lowlevel::cancel_shielded_checkpoint(), trio::MisuseError);
  CHECK_THROWS_AS(static_cast<void>(trio::lowlevel::current_task()), trio::MisuseError);
  CHECK_THROWS_AS(static_cast<void>(trio::lowlevel::current_root_task()), trio::MisuseError);
  CHECK_THROWS_AS(static_cast<void>(trio::lowlevel::current_statistics()), trio::MisuseError);
  CHECK_THROWS_AS(static_cast<void>(trio::lowlevel::current_checkpoint_counts()),
                  trio::MisuseError);
  CHECK_THROWS_AS(static_cast<void>(trio::lowlevel::current_trio_token()), trio::MisuseError);
  CHECK_THROWS_AS(spawn_system_task("none", [] {}), trio::MisuseError);
  CHECK_THROWS_AS(wait_all_tasks_blocked(), trio::MisuseError);
  CHECK_THROWS_AS(trio::open_nursery([](trio::Nursery&) {}), trio::MisuseError);
  CHECK_THROWS_AS(within(scope, [] {}), trio::MisuseError);
  CHECK_THROWS_AS(static_cast<void>(trio::move_on_after(1s, [] {})), trio::MisuseError);
  // What was refused was not used up.
  run([&] {
    CHECK(trio::lowlevel::in_task());
    within(scope, [] {});
  });
  CHECK_FALSE(trio::lowlevel::in_task());
}

TEST_CASE("run() says so if the kernel gives it no descriptors, and leaves nothing behind" *
          doctest::skip(support::sanitized)) {
  auto const error = thrown_by([] {
    NoMoreFiles const none;
    trio::run([] {});
  });
  auto const* system_error = trio::exception_cast<std::system_error>(error);
  REQUIRE_MESSAGE(system_error, trio::describe(error));
  CHECK(system_error->code() == std::errc::too_many_files_open);
  trio::run([] { checkpoint(); });
}

TEST_CASE("run() says so if there is no memory for stacks, and main is not run") {
  trio::RunOptions options;
  options.stack_size = std::size_t{1} << 50;
  bool ran = false;
  auto const owned = std::make_shared<int>(7);
  auto const cause = internal_error_of([&] { trio::run(options, [&ran, owned] { ran = true; }); });
  CHECK(matches(cause, of<std::bad_alloc>()));
  CHECK_FALSE(ran);
  CHECK(owned.use_count() == 1);
}

TEST_CASE("hidden: no memory for the last thing that a run makes" * doctest::skip()) {
  // A thread that was never in a run yet: its stack for signal handlers, 64 KiB, is made then. All
  // smaller things are to be had.
  std::thread([] {
    // Boost makes its own things for the thread first, and does not survive to be refused.
    static_cast<void>(boost::this_fiber::get_id());
    rlimit none = {};
    getrlimit(RLIMIT_AS, &none);
    none.rlim_cur = 0;
    std::vector<std::unique_ptr<std::byte[]>> taken;
    taken.reserve(1 << 16);
    auto small_things = std::make_unique<std::byte[]>(40 * 1024);
    setrlimit(RLIMIT_AS, &none);
    while (std::byte* block = new (std::nothrow) std::byte[8 * 1024]) taken.emplace_back(block);
    small_things.reset();
    auto const error = thrown_by([] { trio::run([] {}); });
    taken.clear();
    none.rlim_cur = none.rlim_max;
    setrlimit(RLIMIT_AS, &none);
    CHECK(matches(error, of<std::bad_alloc>()));
    trio::run([] { checkpoint(); });
  }).join();
}

TEST_CASE("a run that could not be made leaves its thread free for another" *
          doctest::skip(support::sanitized || support::under_tsan)) {
  auto const ending = run_hidden_case("hidden: no memory for the last thing that a run makes");
  INFO(ending.errors);
  CHECK(ending.signal == 0);
  CHECK(ending.exit_code == 0);
}

TEST_CASE("a system task runs beside main and is cancelled when main has ended [R:1072]") {
  run([] {
    Log log;
    spawn_system_task("counter", [&] { log.push_back("system task"); });
    wait_all_tasks_blocked();
    CHECK(log == Log{"system task"});
  });
  Log log;
  run([&] {
    spawn_system_task("sleeper", [&] {
      CHECK_THROWS_AS(trio::sleep_forever(), trio::Cancelled);
      log.push_back("sleeper");
    });
    log.push_back("main");
  });
  CHECK(log == Log{"main", "sleeper"});
}

TEST_CASE("a system task takes arguments, has its name and belongs to no nursery of main's") {
  run([] {
    int result = 0;
    trio::Task& task = spawn_system_task(
        "adder", [](int& sum, std::unique_ptr<int> owned) { sum = *owned; }, std::ref(result),
        std::make_unique<int>(7));
    CHECK(task.name() == "adder");
    CHECK(task.parent_nursery() != trio::lowlevel::current_task().parent_nursery());
    wait_all_tasks_blocked();
    CHECK(result == 7);
  });
}

TEST_CASE("a cancelled main does not take system tasks with it") {
  run([] {
    trio::CancelScope scope;
    Log log;
    within(scope, [&] {
      scope.cancel();
      spawn_system_task("survivor", [&] {
        checkpoint();
        log.push_back("survived");
      });
      checkpoint();
    });
    wait_all_tasks_blocked();
    CHECK(log == Log{"survived"});
  });
}

TEST_CASE("a system task that crashes cancels main and is an internal error [R:1086]") {
  Log log;
  auto const cause = internal_error_of([&] {
    run([&] {
      spawn_system_task("crasher", [] { throw KeyError(); });
      CHECK_THROWS_AS(trio::sleep_forever(), trio::Cancelled);
      log.push_back("main cancelled");
      checkpoint();
    });
  });
  CHECK(matches(cause, group(group(of<KeyError>()))));
  CHECK(log == Log{"main cancelled"});
}

TEST_CASE("a crash of a system task wins over what main returns or throws") {
  auto const crash_at_the_end = [] {
    spawn_system_task("crasher", [] {
      CHECK_THROWS_AS(trio::sleep_forever(), trio::Cancelled);
      throw KeyError();
    });
    checkpoint();
  };
  CHECK(matches(internal_error_of([&] {
                  run([&] {
                    crash_at_the_end();
                    return 7;
                  });
                }),
                group(group(of<KeyError>()))));
  CHECK(matches(internal_error_of([&] {
                  run([&] {
                    crash_at_the_end();
                    throw ValueError();
                  });
                }),
                group(group(of<KeyError>()))));
}

TEST_CASE("several system tasks that crash are all told") {
  auto const cause = internal_error_of([] {
    run([] {
      spawn_system_task("first", [] { throw KeyError(); });
      spawn_system_task("second", [] { throw ValueError(); });
      trio::sleep_forever();
    });
  });
  CHECK(matches(cause, group(group(of<KeyError>(), of<ValueError>()))));
}

TEST_CASE("the Cancelled beside a system task's error is taken out of it [R:1128]") {
  auto const cause = internal_error_of([] {
    run([] {
      spawn_system_task("family", [] {
        trio::open_nursery([](trio::Nursery& nursery) {
          nursery.start_soon([] {
            try {
              trio::sleep_forever();
            } catch (trio::Cancelled const&) {
              throw ValueError();
            }
          });
          nursery.start_soon(trio::sleep_forever);
        });
      });
      wait_all_tasks_blocked();
    });
  });
  CHECK(matches(cause, group(group(group(of<ValueError>())))));
}

TEST_CASE("an Interrupted out of a system task is an internal error [R:1160]") {
  auto const cause = internal_error_of([] {
    run([] {
      spawn_system_task("interrupted", [] { throw trio::Interrupted(); });
      trio::sleep_forever();
    });
  });
  CHECK(matches(cause, group(group(of<trio::Interrupted>()))));
}

TEST_CASE("an internal error says in a sentence what it was") {
  auto const error = thrown_by([] {
    run([] {
      spawn_system_task("crasher", [] { throw KeyError("lost"); });
      trio::sleep_forever();
    });
  });
  std::string const what = trio::exception_cast<trio::TrioInternalError>(error)->what();
  CHECK_MESSAGE(what.find("KeyError: lost") != std::string::npos, what);
}

TEST_CASE("system tasks may start system tasks, while the run is ending too") {
  Log log;
  run([&] {
    spawn_system_task("first", [&] {
      CHECK_THROWS_AS(trio::sleep_forever(), trio::Cancelled);
      spawn_system_task("second", [&] {
        log.push_back("second started");
        checkpoint();
        log.push_back("second survived");
      });
    });
    checkpoint();
  });
  CHECK(log == Log{"second started"});
}

TEST_CASE("a system task asked for when the last one has ended is refused or run, never lost") {
  int refused = 0;
  int started = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    trio::RunOptions options;
    options.shuffle_seed = seed;
    trio::run(options, [&] {
      auto const token = trio::lowlevel::current_trio_token();
      spawn_system_task("last", [&, token] {
        CHECK_THROWS_AS(trio::sleep_forever(), trio::Cancelled);
        token.run_sync_soon([&] {
          try {
            spawn_system_task("too late", [&] { ++started; });
          } catch (trio::MisuseError const&) {
            ++refused;
          }
        });
      });
      wait_all_tasks_blocked();
    });
  }
  CHECK(refused + started == 20);
}

TEST_CASE("the run ends when the last system task has") {
  run([] {
    spawn_system_task("slow", [] {
      CHECK_THROWS_AS(trio::sleep_forever(), trio::Cancelled);
      trio::shielded([] { trio::sleep(5s); });
    });
    wait_all_tasks_blocked();
  });
}

TEST_CASE("main may leave system tasks what it owns until they have ended") {
  auto const owned = std::make_shared<int>(7);
  run([&] {
    spawn_system_task("owner", [owned] { trio::sleep_forever(); });
    wait_all_tasks_blocked();
    CHECK(owned.use_count() == 2);
  });
  CHECK(owned.use_count() == 1);
}
