// SPDX-License-Identifier: BSL-1.0
#include "../../lib/trio/stack.hpp"
#include "../child_process.hpp"
#include "../refused_calls.hpp"
#include "../sanitized.hpp"

#include <trio/testing.hpp>
#include <trio/trio.hpp>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <boost/fiber/condition_variable.hpp>
#include <boost/fiber/fiber.hpp>
#include <boost/fiber/mutex.hpp>
#include <boost/fiber/operations.hpp>
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace std::chrono_literals;
using trio::lowlevel::checkpoint;
using trio::lowlevel::current_statistics;

namespace {

std::uintptr_t stack_pointer() {
  return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
}

// Calls itself until it has used `bytes` of stack below `top`.
[[gnu::noinline]] int dig(std::uintptr_t top, std::size_t bytes) {
  std::array<char volatile, 128> ballast{};
  if (top - stack_pointer() >= bytes) return ballast[0];
  return dig(top, bytes) + ballast[1];
}

void use_stack(std::size_t bytes) { dig(stack_pointer(), bytes); }

void overflow() { use_stack(1024 * 1024 * 1024); }

// Of a stack of 64 KiB: writes past its end, but not past the page in front of it.
[[gnu::noinline]] void overflow_a_little() {
  auto* const memory = static_cast<char volatile*>(__builtin_alloca(64 * 1024));
  for (int i = 0; i < 4096; ++i) memory[i] = 1;
}

// Writes where a frame of 72 KiB, larger than the whole stack, would have its lowest local: as code
// does that was compiled without -fstack-clash-protection.
[[gnu::noinline]] void jump_out_of_the_stack() {
  *reinterpret_cast<char volatile*>(stack_pointer() - 72 * 1024) = 1;
}

// Where the parent of a hidden case reads it; fit for signal handlers.
void say(std::string_view text) {
  static_cast<void>(!write(STDERR_FILENO, text.data(), text.size()));
}

void follow_a_bad_pointer() {
  int* volatile nowhere = reinterpret_cast<int*>(std::uintptr_t{64});
  *nowhere = 1;
}

void run_named(std::string name, void (*fn)(), trio::RunOptions options = {}) {
  trio::run(options, [&] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon(trio::TaskOptions{.name = std::move(name)}, fn);
    });
  });
}

void on_small_stack(std::string name, void (*fn)(), std::size_t max_guarded = 30'000) {
  trio::RunOptions options;
  options.stack_size = 64 * 1024;
  options.max_guarded_stacks = max_guarded;
  run_named(std::move(name), fn, options);
}

// From here on the kernel answers as one older than 6.13: it knows no guards inside a mapping.
void forbid_guards_inside_mappings() { refuse_calls(SYS_madvise, EINVAL, 102); }

}  // namespace

TEST_CASE("tasks that run one after another share a stack") {
  trio::run([] {
    trio::testing::wait_all_tasks_blocked();
    auto const before = current_statistics().stacks;
    for (int i = 0; i < 100; ++i)
      trio::open_nursery([](trio::Nursery& nursery) { nursery.start_soon(checkpoint); });
    CHECK(current_statistics().stacks <= before + 1);
  });
}

TEST_CASE("as many stacks are made as tasks live at once, and then used again") {
  trio::run([] {
    auto const crowd = [] {
      trio::open_nursery([](trio::Nursery& nursery) {
        for (int i = 0; i < 100; ++i) nursery.start_soon(trio::sleep_forever);
        checkpoint();
        nursery.cancel_scope().cancel();
      });
    };
    auto const before = current_statistics().stacks;
    crowd();
    auto const after = current_statistics().stacks;
    CHECK(after >= before + 100);
    for (int i = 0; i < 5; ++i) crowd();
    CHECK(current_statistics().stacks == after);
  });
}

TEST_CASE("thousands of tasks live at once, each on a stack of its own") {
  trio::run([] {
    int used = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int i = 0; i < 4000; ++i)
        nursery.start_soon([&] {
          checkpoint();
          use_stack(16 * 1024);
          ++used;
          checkpoint();
        });
    });
    CHECK(used == 4000);
  });
}

TEST_CASE("a stack is as large as the option says") {
  trio::RunOptions options;
  for (std::size_t size : {std::size_t{64} * 1024, std::size_t{256} * 1024, std::size_t{4} << 20}) {
    options.stack_size = size;
    int finished = 0;
    trio::run(options, [&] {
      trio::open_nursery([&](trio::Nursery& nursery) {
        for (int i = 0; i < 3; ++i)
          nursery.start_soon([&] {
            use_stack(size - 16 * 1024);
            checkpoint();
            ++finished;
          });
      });
    });
    CHECK(finished == 3);
  }
}

namespace {

// One past the end of an array of its own.
[[gnu::noinline]] void write_past_its_end() {
  char volatile local[16] = {};
  std::size_t const volatile end = sizeof local;
  trio::sleep(1us);
  local[end] = 1;
}

// Stands between, so that no compiler sees it and objects.
[[gnu::noinline]] char volatile* the_same(char volatile* address) { return address; }

[[gnu::noinline]] char volatile* address_of_a_local() {
  char volatile local[16] = {};
  trio::sleep(1us);
  return the_same(local);
}

[[gnu::noinline]] void read_what_is_gone() {
  char const volatile* const local = address_of_a_local();
  trio::sleep(1us);
  static_cast<void>(*local);
}

// In a task, while another takes turns with it.
void run_with_company(void (*work)()) {
  trio::run([&] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([] {
        for (int i = 0; i < 10; ++i) trio::sleep(1us);
      });
      nursery.start_soon(work);
    });
  });
}

}  // namespace

TEST_CASE("hidden: a task writes past the end of an array" * doctest::skip()) {
  run_with_company(write_past_its_end);
}

TEST_CASE("hidden: a task reads a local that is gone" * doctest::skip()) {
  run_with_company(read_what_is_gone);
}

TEST_CASE("AddressSanitizer reports what a task does wrong on its stack" *
          doctest::skip(!support::sanitized)) {
  auto const overflow = run_hidden_case("hidden: a task writes past the end of an array");
  INFO(overflow.errors);
  CHECK(overflow.exit_code != 0);
  CHECK(overflow.says("stack-buffer-overflow"));
  CHECK(overflow.says("write_past_its_end"));

  // Frames are kept for a while when they have ended, each task's on a stack of its own.
  char const* const given = std::getenv("ASAN_OPTIONS");
  std::string const before = given ? given : "";
  setenv("ASAN_OPTIONS", (before + ":detect_stack_use_after_return=1").c_str(), 1);
  auto const late = run_hidden_case("hidden: a task reads a local that is gone");
  if (given)
    setenv("ASAN_OPTIONS", before.c_str(), 1);
  else
    unsetenv("ASAN_OPTIONS");
  INFO(late.errors);
  CHECK(late.exit_code != 0);
  CHECK(late.says("stack-use-after-return"));
  CHECK(late.says("read_what_is_gone"));
}

TEST_CASE("hidden: a task overflows its stack" * doctest::skip()) {
  die_by_default();
  on_small_stack("digger", overflow);
}

TEST_CASE("an overflow is reported by the name of the task and ends the program with SIGSEGV") {
  auto const ending = run_hidden_case("hidden: a task overflows its stack");
  check_died_of(ending, SIGSEGV);
  CHECK(
      ending.says("trio: stack overflow in task 'digger' (stack of 64 KiB; raise "
                  "RunOptions::stack_size)\n"));
}

TEST_CASE("hidden: a task without a name overflows its stack" * doctest::skip()) {
  die_by_default();
  trio::run([] { overflow(); });
}

TEST_CASE("an overflow in a task without a given name is reported by its function") {
  auto const ending = run_hidden_case("hidden: a task without a name overflows its stack");
  check_died_of(ending, SIGSEGV);
  CHECK(ending.says("trio: stack overflow in task '"));
  CHECK(ending.says("(stack of 256 KiB"));
}

TEST_CASE("hidden: a task overflows in a run on another thread" * doctest::skip()) {
  die_by_default();
  std::thread([] { on_small_stack("far digger", overflow); }).join();
}

TEST_CASE("an overflow is reported on whichever thread the run is") {
  auto const ending = run_hidden_case("hidden: a task overflows in a run on another thread");
  check_died_of(ending, SIGSEGV);
  CHECK(ending.says("trio: stack overflow in task 'far digger'"));
}

TEST_CASE("hidden: the second of two tasks overflows deep in a nursery" * doctest::skip()) {
  die_by_default();
  trio::RunOptions options;
  options.stack_size = 64 * 1024;
  trio::run(options, [] {
    trio::open_nursery([](trio::Nursery& nursery) {
      nursery.start_soon(trio::TaskOptions{.name = "innocent"}, trio::sleep_forever);
      nursery.start_soon(trio::TaskOptions{.name = "guilty"}, [] {
        checkpoint();
        trio::open_nursery([](trio::Nursery&) {
          checkpoint();
          overflow();
        });
      });
    });
  });
}

TEST_CASE("an overflow blames the task that runs, not one that waits") {
  auto const ending =
      run_hidden_case("hidden: the second of two tasks overflows deep in a nursery");
  check_died_of(ending, SIGSEGV);
  CHECK(ending.says("trio: stack overflow in task 'guilty'"));
  CHECK(!ending.says("innocent"));
}

TEST_CASE("hidden: a task ends and the next one overflows the same stack" * doctest::skip()) {
  die_by_default();
  trio::RunOptions options;
  options.stack_size = 64 * 1024;
  trio::run(options, [] {
    trio::open_nursery([](trio::Nursery& nursery) {
      nursery.start_soon(trio::TaskOptions{.name = "innocent"}, [] {});
      nursery.start_soon(trio::TaskOptions{.name = "guilty"}, overflow);
    });
  });
}

TEST_CASE("an overflow does not blame the task that had the stack before") {
  auto const ending =
      run_hidden_case("hidden: a task ends and the next one overflows the same stack");
  check_died_of(ending, SIGSEGV);
  CHECK(ending.says("trio: stack overflow in task 'guilty'"));
  CHECK(!ending.says("innocent"));
}

TEST_CASE("hidden: a task to which another has switched calls std::exit" * doctest::skip()) {
  trio::run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      nursery.start_soon([] {
        for (;;) checkpoint();
      });
      nursery.start_soon([] {
        for (int i = 0; i < 3; ++i) checkpoint();
        std::exit(3);
      });
    });
  });
}

TEST_CASE("std::exit ends the program in whichever task it is called") {
  auto const ending =
      run_hidden_case("hidden: a task to which another has switched calls std::exit");
  CHECK(ending.exit_code == 3);
  CHECK(ending.errors.empty());
}

TEST_CASE("hidden: a task follows a bad pointer" * doctest::skip()) {
  die_by_default();
  run_named("pointer chaser", follow_a_bad_pointer);
}

TEST_CASE("another segmentation fault is not taken for an overflow") {
  auto const ending = run_hidden_case("hidden: a task follows a bad pointer");
  check_died_of(ending, SIGSEGV);
  CHECK(!ending.says("trio: stack overflow"));
}

TEST_CASE("hidden: somebody sends SIGSEGV" * doctest::skip()) {
  die_by_default();
  run_named("victim", [] {
    raise(SIGSEGV);
    say("still alive\n");
  });
}

TEST_CASE("a SIGSEGV that was sent ends the program as one of its own making does") {
  auto const ending = run_hidden_case("hidden: somebody sends SIGSEGV");
  check_died_of(ending, SIGSEGV);
  CHECK(!ending.says("still alive"));
  CHECK(!ending.says("trio: stack overflow"));
}

TEST_CASE("hidden: SIGSEGV comes to a program that ignores it" * doctest::skip()) {
  signal(SIGSEGV, SIG_IGN);
  run_named("deaf", [] {
    raise(SIGSEGV);
    raise(SIGSEGV);
    say("still alive\n");
    follow_a_bad_pointer();
    say("immortal\n");
  });
}

TEST_CASE("a program that ignores SIGSEGV goes on ignoring those that are sent") {
  auto const ending = run_hidden_case("hidden: SIGSEGV comes to a program that ignores it");
  check_died_of(ending, SIGSEGV);
  CHECK(ending.says("still alive"));
  CHECK(!ending.says("immortal"));
}

TEST_CASE("hidden: runs with and without reports of overflows" * doctest::skip()) {
  auto const handler_during_run = [](bool report) {
    trio::RunOptions options;
    options.report_stack_overflows = report;
    return trio::run(options, [] {
      struct sigaction present = {};
      sigaction(SIGSEGV, nullptr, &present);
      return present.sa_handler != SIG_DFL;
    });
  };
  signal(SIGSEGV, SIG_DFL);
  CHECK(!handler_during_run(false));
  CHECK(handler_during_run(true));
  CHECK(handler_during_run(false));
}

TEST_CASE("SIGSEGV has a handler from the first run on that is to report overflows") {
  auto const ending = run_hidden_case("hidden: runs with and without reports of overflows");
  INFO(ending.errors);
  CHECK(ending.signal == 0);
  CHECK(ending.exit_code == 0);
}

TEST_CASE("hidden: a task overflows and the program handles SIGSEGV" * doctest::skip()) {
  struct sigaction action = {};
  action.sa_handler = [](int) {
    say("the program's own handler\n");
    _exit(7);
  };
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGSEGV, &action, nullptr);
  on_small_stack("digger", overflow);
}

TEST_CASE("a handler of SIGSEGV that the program had before gets its turn after the report") {
  auto const ending = run_hidden_case("hidden: a task overflows and the program handles SIGSEGV");
  INFO(ending.errors);
  CHECK(ending.exit_code == 7);
  CHECK(ending.says("trio: stack overflow in task 'digger'"));
  CHECK(ending.says("the program's own handler"));
}

TEST_CASE("hidden: a frame is larger than a page and all of the stack" * doctest::skip()) {
  die_by_default();
  on_small_stack("jumper", jump_out_of_the_stack);
}

TEST_CASE("a large frame does not jump over the guard into the neighbour's stack") {
  auto const ending = run_hidden_case("hidden: a frame is larger than a page and all of the stack");
  check_died_of(ending, SIGSEGV);
  CHECK(ending.says("trio: stack overflow in task 'jumper'"));
}

TEST_CASE("hidden: a frame is larger than all of a stack guarded by a mapping" * doctest::skip()) {
  die_by_default();
  forbid_guards_inside_mappings();
  on_small_stack("mapped jumper", jump_out_of_the_stack);
}

TEST_CASE("nor over the guard that an older kernel gives") {
  auto const ending =
      run_hidden_case("hidden: a frame is larger than all of a stack guarded by a mapping");
  check_died_of(ending, SIGSEGV);
  CHECK(ending.says("trio: stack overflow in task 'mapped jumper'"));
}

TEST_CASE("hidden: a task overflows a stack guarded by a mapping" * doctest::skip()) {
  die_by_default();
  forbid_guards_inside_mappings();
  on_small_stack("mapped digger", overflow);
}

TEST_CASE("on an older kernel a guard of its own mapping catches an overflow") {
  auto const ending = run_hidden_case("hidden: a task overflows a stack guarded by a mapping");
  check_died_of(ending, SIGSEGV);
  CHECK(ending.says("trio: stack overflow in task 'mapped digger'"));
}

TEST_CASE("hidden: a task overflows a little where no guard is to be had" * doctest::skip()) {
  die_by_default();
  forbid_guards_inside_mappings();
  on_small_stack(
      "canary's digger",
      [] {
        overflow_a_little();
        trio::testing::wait_all_tasks_blocked();
        say("still alive\n");
      },
      0);
}

TEST_CASE("without a guard a canary reports the overflow when the task next parks") {
  auto const ending =
      run_hidden_case("hidden: a task overflows a little where no guard is to be had");
  check_died_of(ending, SIGABRT);
  CHECK(
      ending.says("trio: stack overflow in task 'canary's digger'; raise "
                  "RunOptions::stack_size\n"));
  CHECK(!ending.says("still alive"));
}

TEST_CASE("hidden: a task overflows and crashes where no guard is to be had" * doctest::skip()) {
  die_by_default();
  forbid_guards_inside_mappings();
  on_small_stack(
      "crashing digger",
      [] {
        overflow_a_little();
        follow_a_bad_pointer();
      },
      0);
}

TEST_CASE("without a guard a crash after an overflow is reported as one") {
  auto const ending =
      run_hidden_case("hidden: a task overflows and crashes where no guard is to be had");
  check_died_of(ending, SIGSEGV);
  CHECK(ending.says("trio: stack overflow in task 'crashing digger'"));
}

TEST_CASE("hidden: a task overflows and ends where no guard is to be had" * doctest::skip()) {
  die_by_default();
  forbid_guards_inside_mappings();
  on_small_stack("short digger", overflow_a_little, 0);
}

TEST_CASE("without a guard a canary reports the overflow of a task that never parks") {
  auto const ending =
      run_hidden_case("hidden: a task overflows and ends where no guard is to be had");
  check_died_of(ending, SIGABRT);
  CHECK(ending.says("trio: stack overflow in task 'short digger'"));
}

TEST_CASE("hidden: well-behaved tasks run where no guard is to be had" * doctest::skip()) {
  forbid_guards_inside_mappings();
  int finished = 0;
  trio::RunOptions options;
  options.max_guarded_stacks = 10;
  trio::run(options, [&] {
    for (int round = 0; round < 3; ++round)
      trio::open_nursery([&](trio::Nursery& nursery) {
        for (int i = 0; i < 100; ++i)
          nursery.start_soon([&] {
            use_stack(200 * 1024);
            checkpoint();
            ++finished;
          });
      });
  });
  CHECK(finished == 300);
}

TEST_CASE("stacks beyond the number of guards are as good as the others") {
  auto const ending = run_hidden_case("hidden: well-behaved tasks run where no guard is to be had");
  INFO(ending.errors);
  CHECK(ending.signal == 0);
  CHECK(ending.exit_code == 0);
}

TEST_CASE("a canary tells whether anything was written over it") {
  std::vector<std::byte> memory(4096);
  trio::detail::Stack stack;
  stack.bottom = memory.data();
  stack.size = memory.size();
  stack.canary = true;
  trio::detail::place_canary(stack);
  CHECK(!trio::detail::canary_is_broken(stack));
  stack.top()[-1] = std::byte{1};
  CHECK(!trio::detail::canary_is_broken(stack));
  *stack.bottom ^= std::byte{1};
  CHECK(trio::detail::canary_is_broken(stack));
  stack.canary = false;
  CHECK(!trio::detail::canary_is_broken(stack));
}

TEST_CASE("the 64 KiB below a stack are its guard") {
  trio::detail::StackArena arena(64 * 1024, 1);
  trio::detail::Stack const stack = arena.make();
  REQUIRE(!stack.canary);
  CHECK(stack.size == 64 * 1024);
  CHECK(stack.is_guard(stack.bottom - 1));
  CHECK(stack.is_guard(stack.bottom - 64 * 1024));
  CHECK(!stack.is_guard(stack.bottom - 64 * 1024 - 1));
  CHECK(!stack.is_guard(stack.bottom));
  CHECK(!stack.is_guard(stack.top()));
}

TEST_CASE("the size of a stack is rounded up to whole pages, and too small a one is enlarged") {
  CHECK(trio::detail::StackArena(64 * 1024 + 1, 1).make().size == 68 * 1024);
  CHECK(trio::detail::StackArena(1, 1).make().size >= 16 * 1024);
}

TEST_CASE("hidden: a task yields to Boost.Fiber" * doctest::skip()) {
  die_by_default();
  trio::run([] { boost::this_fiber::yield(); });
}

TEST_CASE("hidden: a task sleeps in Boost.Fiber" * doctest::skip()) {
  die_by_default();
  trio::run([] { boost::this_fiber::sleep_for(1ms); });
}

TEST_CASE("hidden: a task waits for a condition variable of Boost.Fiber" * doctest::skip()) {
  die_by_default();
  trio::run([] {
    boost::fibers::mutex mutex;
    boost::fibers::condition_variable changed;
    std::unique_lock<boost::fibers::mutex> lock(mutex);
    changed.wait(lock);
  });
}

TEST_CASE("hidden: a task joins a fiber of Boost.Fiber" * doctest::skip()) {
  die_by_default();
  trio::run([] { boost::fibers::fiber([] {}).join(); });
}

TEST_CASE("a Boost.Fiber primitive used in a task ends the program with a sentence") {
  for (char const* name :
       {"hidden: a task yields to Boost.Fiber", "hidden: a task sleeps in Boost.Fiber",
        "hidden: a task waits for a condition variable of Boost.Fiber",
        "hidden: a task joins a fiber of Boost.Fiber"}) {
    CAPTURE(name);
    auto const ending = run_hidden_case(name);
    check_died_of(ending, SIGABRT);
    CHECK(
        ending.says("trio: a Boost.Fiber primitive (mutex, condition variable, channel, future, "
                    "sleep or yield) was used in a task; nothing could cancel it. Use trio's own "
                    "instead.\n"));
  }
}

// AddressSanitizer takes a throw on a stack that Boost made for an overflow.
TEST_CASE("run() refuses to be called in a fiber of Boost.Fiber" *
          doctest::skip(support::sanitized)) {
  bool refused = false;
  boost::fibers::fiber([&] {
    try {
      trio::run([] {});
    } catch (trio::MisuseError const&) {
      refused = true;
    }
  }).join();
  CHECK(refused);
}

TEST_CASE("Boost.Fiber works on a thread again after a run" * doctest::skip(support::sanitized)) {
  for (int round = 0; round < 3; ++round) {
    trio::run([] { checkpoint(); });
    std::vector<int> order;
    auto const counts = [&](int number) {
      return [&order, number] {
        order.push_back(number);
        boost::this_fiber::yield();
        order.push_back(number);
      };
    };
    boost::fibers::fiber first(counts(1));
    boost::fibers::fiber second(counts(2));
    first.join();
    second.join();
    CHECK(order == std::vector{1, 2, 1, 2});
  }
}

TEST_CASE("fibers of Boost.Fiber that were ready before a run, or woken in it, go on after it" *
          doctest::skip(support::sanitized)) {
  std::vector<std::string> record;
  boost::fibers::mutex mutex;
  boost::fibers::condition_variable changed;
  bool go = false;
  // Begins at once, up to where it waits.
  boost::fibers::fiber waiting(boost::fibers::launch::dispatch, [&] {
    std::unique_lock<boost::fibers::mutex> lock(mutex);
    changed.wait(lock, [&] { return go; });
    record.push_back("was woken");
  });
  boost::fibers::fiber ready([&] { record.push_back("was ready"); });
  trio::run([&] {
    go = true;
    changed.notify_one();
    checkpoint();
    record.push_back("in the run");
  });
  ready.join();
  waiting.join();
  CHECK(record == std::vector<std::string>{"in the run", "was ready", "was woken"});
}
