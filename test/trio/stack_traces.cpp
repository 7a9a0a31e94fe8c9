// SPDX-License-Identifier: BSL-1.0
#include "../../lib/trio/frame_kind.hpp"
#include "../../lib/trio/throw_site.hpp"
#include "../child_process.hpp"
#include "support.hpp"

#include <trio/stack_trace.hpp>

#include <exception>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <signal.h>

using namespace support;
using trio::StackFrame;
using trio::thrown_at;
using trio::detail::throw_sites_remembered;
using trio::lowlevel::checkpoint;

// Functions that throw, each in a line of its own.
namespace thrower {

constexpr int line_of_key = __LINE__ + 2;

[[gnu::noinline]] void throws_key() { throw KeyError(); }

[[gnu::noinline]] void throws_value() { throw ValueError(); }

[[gnu::noinline]] void calls_throws_key() {
  throws_key();
  asm volatile("");
}

[[gnu::noinline]] void rethrows(std::exception_ptr const& error) { std::rethrow_exception(error); }

[[gnu::noinline]] int throws_deep(int depth) {
  if (depth == 0) throw KeyError();
  int const result = throws_deep(depth - 1);
  asm volatile("");
  return result + 1;
}

[[gnu::noinline]] void throws_out_of_noexcept() noexcept { throws_key(); }

}  // namespace thrower

namespace {

std::vector<StackFrame> symbolized(trio::StackTrace const& stack) {
  auto frames = trio::frames_of(stack);
  trio::symbolize(frames);
  return frames;
}

// The user's functions on the stack, innermost first.
std::vector<std::string> functions(trio::StackTrace const& stack) {
  std::vector<std::string> names;
  for (StackFrame const& frame : symbolized(stack))
    if (frame.kind == StackFrame::Kind::user) names.push_back(frame.function);
  return names;
}

std::string innermost(std::exception_ptr const& error) {
  auto const names = functions(thrown_at(error));
  return names.empty() ? "" : names.front();
}

std::vector<std::exception_ptr> leaves_of(std::exception_ptr const& error) {
  auto const* group = trio::exception_cast<trio::BaseExceptionGroup>(error);
  return group ? group->leaves() : std::vector{error};
}

// What a run with this main function throws.
template <class F> std::exception_ptr error_of_run(F&& fn) {
  return thrown_by([&] { support::run(std::forward<F>(fn)); });
}

bool contains(std::string const& text, std::string const& part) {
  CHECK_MESSAGE(text.find(part) != std::string::npos, text << " should contain " << part);
  return text.find(part) != std::string::npos;
}

// Counts the living ones.
struct Counted {
  explicit Counted(int& count) : living(&count) { ++*living; }

  Counted(Counted const& other) : living(other.living) { ++*living; }

  Counted& operator=(Counted const&) = delete;

  ~Counted() { --*living; }

  int* living;
};

}  // namespace

TEST_CASE("an error that leaves a task is known where it was thrown") {
  auto const error = error_of_run([] { thrower::calls_throws_key(); });
  CHECK(matches(error, of<KeyError>()));
  auto const names = functions(thrown_at(error));
  REQUIRE(names.size() >= 3);
  CHECK(names[0] == "thrower::throws_key()");
  CHECK(names[1] == "thrower::calls_throws_key()");
}

TEST_CASE("a stack ends where its task begins") {
  auto const error = error_of_run([] { thrower::throws_key(); });
  for (StackFrame const& frame : symbolized(thrown_at(error))) {
    CHECK(frame.function != "main");
    CHECK(frame.function.find("Switcher") == std::string::npos);
  }
}

TEST_CASE("a frame of a stack tells its file and line") {
  auto const error = error_of_run([] { thrower::throws_key(); });
  auto const frames = symbolized(thrown_at(error));
  auto const frame = std::ranges::find(frames, "thrower::throws_key()", &StackFrame::function);
  REQUIRE(frame != frames.end());
  CHECK(std::filesystem::path(frame->file).filename() == "stack_traces.cpp");
  CHECK(frame->line == thrower::line_of_key);
}

TEST_CASE("an error that is caught where it belongs is not looked at") {
  support::run([] {
    std::exception_ptr const error = thrown_by(thrower::throws_key);
    CHECK(thrown_at(error).empty());
    CHECK(throw_sites_remembered() == 0);
    trio::open_nursery([&](trio::Nursery&) { static_cast<void>(thrown_by(thrower::throws_key)); });
    CHECK(throw_sites_remembered() == 0);
  });
}

TEST_CASE("the throw is known through scopes, nurseries and handlers for others") {
  auto const error = error_of_run([] {
    trio::open_nursery([](trio::Nursery& outer) {
      outer.start_soon([] {
        static_cast<void>(trio::move_on_after(1s, [] {
          trio::catching([] { trio::open_nursery([](trio::Nursery&) { thrower::throws_key(); }); },
                         [](ValueError const&) {});
        }));
      });
    });
  });
  REQUIRE(leaves_of(error).size() == 1);
  CHECK(innermost(leaves_of(error)[0]) == "thrower::throws_key()");
}

TEST_CASE("the throw is known through cancel scopes alone") {
  auto const error = error_of_run(
      [] { trio::fail_after(1s, [] { trio::shielded([] { thrower::throws_key(); }); }); });
  CHECK(matches(error, of<KeyError>()));
  CHECK(innermost(error) == "thrower::throws_key()");
}

TEST_CASE("an error that is thrown again keeps the stack of its first throw") {
  std::exception_ptr const first = error_of_run([] { thrower::throws_key(); });
  auto const stack = thrown_at(first);
  auto const again = error_of_run([&] { thrower::rethrows(first); });
  CHECK(again == first);
  CHECK(thrown_at(again) == stack);
  CHECK(innermost(again) == "thrower::throws_key()");
}

TEST_CASE("an error that was only made has the stack of where it is first thrown") {
  auto const error =
      error_of_run([made = std::make_exception_ptr(KeyError())] { thrower::rethrows(made); });
  CHECK(contains(innermost(error), "thrower::rethrows("));
}

TEST_CASE("each member of a group keeps its own stack, and the group has none") {
  auto const error = error_of_run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      nursery.start_soon(thrower::throws_key);
      nursery.start_soon(thrower::throws_value);
    });
  });
  CHECK(matches(error, group(of<KeyError>(), of<ValueError>())));
  auto const leaves = leaves_of(error);
  REQUIRE(leaves.size() == 2);
  CHECK(innermost(leaves[0]) == "thrower::throws_key()");
  CHECK(innermost(leaves[1]) == "thrower::throws_value()");
  CHECK(thrown_at(error).empty());
}

TEST_CASE("an error that a nursery's body threw and catching handed on is known in the handler") {
  support::run([] {
    std::string report;
    trio::catching([] { thrower::throws_key(); },
                   [&](KeyError const&) { CHECK(throw_sites_remembered() == 1); });
    CHECK(throw_sites_remembered() == 0);
    auto const error = thrown_by([] {
      trio::catching([] { thrower::throws_key(); },
                     [](KeyError const&) { thrower::throws_value(); });
    });
    REQUIRE(leaves_of(error).size() == 1);
    CHECK(innermost(leaves_of(error)[0]) == "thrower::throws_value()");
  });
}

TEST_CASE("what leaves a function called from outside is known where it was thrown") {
  auto const error = error_of_run([] {
    trio::lowlevel::current_trio_token().run_sync_soon(thrower::throws_key);
    trio::sleep(1s);
  });
  auto const* internal = trio::exception_cast<trio::TrioInternalError>(error);
  REQUIRE(internal);
  REQUIRE(leaves_of(internal->cause()).size() == 1);
  CHECK(innermost(leaves_of(internal->cause())[0]) == "thrower::throws_key()");
}

TEST_CASE("a cancellation is not looked at") {
  support::run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      nursery.start_soon([] {
        trio::open_nursery([](trio::Nursery& inner) {
          inner.start_soon(trio::sleep_forever);
          auto const error = thrown_by([] { trio::catching(trio::sleep_forever); });
          CHECK(trio::exception_cast<trio::Cancelled>(error));
          CHECK(throw_sites_remembered() == 0);
          std::rethrow_exception(error);
        });
      });
      trio::testing::wait_all_tasks_blocked();
      nursery.cancel_scope().cancel();
    });
    CHECK(throw_sites_remembered() == 0);
  });
}

TEST_CASE("a stack is forgotten when its exception dies") {
  int living = 0;
  {
    auto const error = error_of_run([&] { throw Counted(living); });
    CHECK(throw_sites_remembered() == 1);
    CHECK(!thrown_at(error).empty());
    CHECK(living == 1);
  }
  CHECK(living == 0);
  CHECK(throw_sites_remembered() == 0);
}

TEST_CASE("a stack is forgotten when its exception dies on another thread") {
  int living = 0;
  auto error = error_of_run([&] { throw Counted(living); });
  CHECK(throw_sites_remembered() == 1);
  std::thread([last = std::move(error)]() mutable { last = nullptr; }).join();
  CHECK(living == 0);
  CHECK(throw_sites_remembered() == 0);
}

TEST_CASE("exceptions without a destructor, and pointers, have stacks too") {
  for (auto const& throws : std::vector<void (*)()>{[] { throw 5; }, [] { throw "text"; }}) {
    auto const error = error_of_run(throws);
    CHECK(!thrown_at(error).empty());
    CHECK(throw_sites_remembered() == 1);
  }
  CHECK(throw_sites_remembered() == 0);
}

TEST_CASE("stacks of many threads' errors are kept apart") {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([] {
      for (int round = 0; round < 50; ++round) {
        auto const error = thrown_by([] { trio::run([] { thrower::throws_key(); }); });
        if (thrown_at(error).empty()) std::terminate();
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(throw_sites_remembered() == 0);
}

TEST_CASE("of a deep stack the innermost 64 frames are kept") {
  auto const error = error_of_run([] { thrower::throws_deep(1000); });
  CHECK(thrown_at(error).size() == 64);
  CHECK(innermost(error) == "thrower::throws_deep(int)");
}

TEST_CASE("nothing is known of no exception") { CHECK(thrown_at(nullptr).empty()); }

TEST_CASE("hidden: an error meets a noexcept function in a task" * doctest::skip()) {
  signal(SIGABRT, SIG_DFL);
  support::run([] { thrower::throws_out_of_noexcept(); });
}

TEST_CASE("an error that meets a noexcept function ends the program, as without us") {
  auto const ending = run_hidden_case("hidden: an error meets a noexcept function in a task");
  CHECK(ending.signal == SIGABRT);
  CHECK(ending.says("terminate called after throwing an instance of 'support::KeyError'"));
}

TEST_CASE("frames without symbols name the module and the address in it") {
  auto const error = error_of_run([] { thrower::throws_key(); });
  auto frames = trio::frames_of(thrown_at(error));
  REQUIRE(frames.size() == thrown_at(error).size());
  for (StackFrame const& frame : frames) {
    CHECK(frame.function.empty());
    CHECK(frame.module.front() == '/');
    CHECK(frame.offset > 0);
  }
  CHECK(contains(trio::format({frames.back()}), frames.back().module + "+0x"));
}

TEST_CASE("a module that is not loaded here keeps its frames as they are") {
  StackFrame unknown;
  unknown.module = "/nowhere/libother.so";
  unknown.offset = 0x1234;
  std::vector<StackFrame> frames{unknown};
  trio::symbolize(frames);
  CHECK(frames == std::vector{unknown});
  CHECK(trio::format(frames, "  ") == "  /nowhere/libother.so+0x1234\n");
}

TEST_CASE("frames that have symbols keep them") {
  auto frames = symbolized(trio::current_stack());
  frames.front().function = "as another process called it";
  auto const before = frames;
  trio::symbolize(frames);
  CHECK(frames == before);
}

TEST_CASE("the stack of the caller begins with the caller") {
  auto const names = functions(trio::current_stack());
  REQUIRE(!names.empty());
  CHECK(contains(names.front(), "DOCTEST_ANON_FUNC"));
}

TEST_CASE("people see neither the plumbing nor more than one library function in a row") {
  auto const frame = [](StackFrame::Kind kind, std::string function) {
    StackFrame made;
    made.kind = kind;
    made.function = std::move(function);
    made.file = "f.cpp";
    made.line = 7;
    return made;
  };
  using Kind = StackFrame::Kind;
  std::vector<StackFrame> const frames{
      frame(Kind::internal, "__cxa_throw"),
      frame(Kind::library, "trio::lowlevel::checkpoint()"),
      frame(Kind::internal, "trio::detail::Runner::park()"),
      frame(Kind::library, "trio::sleep(trio::Duration)"),
      frame(Kind::user, "work()"),
      frame(Kind::internal, "std::invoke"),
      frame(Kind::library, "auto trio::open_nursery<main::{lambda()#1}>(main::{lambda()#1}&&)"),
      frame(Kind::internal, "run_task"),
  };
  CHECK(trio::format(frames, "  ") ==
        "  trio::sleep\n"
        "  work() at f.cpp:7\n"
        "  trio::open_nursery\n");
}

TEST_CASE("a readable stack of a real error has the user's functions and nothing internal") {
  auto const error =
      error_of_run([] { trio::open_nursery([](trio::Nursery&) { thrower::calls_throws_key(); }); });
  auto const text = trio::format(symbolized(thrown_at(leaves_of(error).at(0))));
  INFO(text);
  CHECK(text.find("thrower::throws_key() at ") == 0);
  CHECK(contains(text, "stack_traces.cpp:" + std::to_string(thrower::line_of_key) + "\n"));
  CHECK(contains(text, "\ntrio::open_nursery\n"));
  for (char const* hidden : {"__cxa", "_Unwind", "std::", "detail", "boost", "guard", "Switcher"})
    CHECK(text.find(hidden) == std::string::npos);
}

TEST_CASE("a report has under each error the stack of its throw") {
  auto const error = error_of_run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      nursery.start_soon(thrower::throws_key);
      nursery.start_soon(thrower::throws_value);
    });
  });
  auto const report = trio::report_with_stacks(error);
  CHECK(report.find("errors in a nursery (2):\n"
                    "  - support::KeyError: key\n"
                    "      thrower::throws_key() at ") == 0);
  CHECK(contains(report,
                 "\n  - support::ValueError: value\n"
                 "      thrower::throws_value() at "));
  auto const lone = trio::report_with_stacks(error_of_run([] { thrower::throws_key(); }));
  CHECK(lone.find("support::KeyError: key\n    thrower::throws_key() at ") == 0);
  CHECK(trio::report_with_stacks(std::make_exception_ptr(KeyError())) ==
        "support::KeyError: key\n");
}

TEST_CASE("who is behind a function is told by its name") {
  using Kind = StackFrame::Kind;
  auto const kind = [](char const* name) { return trio::detail::kind_of_function(name); };
  CHECK(kind("main") == Kind::user);
  CHECK(kind("_Z4workv") == Kind::user);
  CHECK(kind("_ZN3app4workEv") == Kind::user);
  CHECK(kind("_ZN8trio_app4workEv") == Kind::user);
  CHECK(kind("_ZZ4mainENKUlvE_clEv") == Kind::user);
  CHECK(kind("") == Kind::user);
  CHECK(kind("_ZN4trio5sleepENS_8DurationE") == Kind::library);
  CHECK(kind("_ZN7tractor6Portal6resultEv") == Kind::library);
  CHECK(kind("_ZNK4trio4Task4nameEv") == Kind::library);
  CHECK(kind("_ZNKR4trio4Task4nameEv") == Kind::library);
  CHECK(kind("_ZN4trio6detail8run_taskEv") == Kind::internal);
  CHECK(kind("_ZN4trio8lowlevel12detail_abort4waitENS1_8AbortRefE") == Kind::internal);
  CHECK(kind("_ZN4trio12_GLOBAL__N_14helpEv") == Kind::internal);
  CHECK(kind("_ZZN4trio3runIvEEvvENKUlvE_clEv") == Kind::internal);
  CHECK(kind("_ZSt6invokeIRFvvEJEEvv") == Kind::internal);
  CHECK(kind("_ZNSt6threadC1Ev") == Kind::internal);
  CHECK(kind("_ZNKSt8functionIFvvEEclEv") == Kind::internal);
  CHECK(kind("_ZN5boost6fibers7context6resumeEv") == Kind::internal);
  CHECK(kind("__cxa_throw") == Kind::internal);
  CHECK(kind("_Unwind_RaiseException") == Kind::internal);
  CHECK(kind("trio_guarded_call") == Kind::internal);
}

TEST_CASE("who is behind a function of which only the bare name is known is told by its file") {
  using Kind = StackFrame::Kind;
  auto const kind = [](char const* name, char const* file) {
    return trio::detail::kind_of_function(name, file);
  };
  CHECK(kind("work", "/home/me/work.cpp") == Kind::user);
  CHECK(kind("operator()", "/home/me/work.cpp") == Kind::user);
  CHECK(kind("work", "/home/me/trio/work.cpp") == Kind::user);
  CHECK(kind("open_nursery<work>", "../include/trio/nursery.hpp") == Kind::library);
  CHECK(kind("open_nursery<work>", "/usr/include/trio/nursery.hpp") == Kind::library);
  CHECK(kind("operator()", "/usr/include/trio/nursery.hpp") == Kind::internal);
  CHECK(kind("caught_from<>", "/usr/include/trio/detail/guarded.hpp") == Kind::internal);
  CHECK(kind("helps", "../lib/trio/runner.cpp") == Kind::internal);
  CHECK(kind("invoke<work>", "/usr/include/c++/12/functional") == Kind::internal);
  CHECK(kind("resume", "/usr/include/boost/context/fiber.hpp") == Kind::internal);
  CHECK(kind("_Z4workv", "../lib/trio/runner.cpp") == Kind::user);
}

TEST_CASE("a library function is shown by its name alone") {
  using trio::detail::short_name;
  CHECK(short_name("trio::sleep(trio::Duration)") == "trio::sleep");
  CHECK(short_name("auto trio::open_nursery<main::{lambda(trio::Nursery&)#1}>(int)") ==
        "trio::open_nursery");
  CHECK(short_name("std::vector<int, std::allocator<int> > trio::list<int>()") == "trio::list");
  CHECK(short_name("trio::MemoryReceiveChannel<int>::receive()") ==
        "trio::MemoryReceiveChannel::receive");
  CHECK(short_name("decltype(auto) trio::call<int>(int)") == "trio::call");
  CHECK(short_name("trio::Iterator<int>::operator++()") == "trio::Iterator::operator++");
  CHECK(short_name("trio::Callable::operator()(int) const") == "trio::Callable::operator()");
  CHECK(short_name("trio::cooperator(int)") == "trio::cooperator");
  CHECK(short_name("int tractor::(anonymous namespace)::serve(int)") == "tractor::serve");
  CHECK(short_name("(anonymous namespace)::serve(int)") == "serve");
}
