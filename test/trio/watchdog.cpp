// SPDX-License-Identifier: BSL-1.0
#include "../child_process.hpp"
#include "../sanitized.hpp"
#include "support.hpp"

#include <array>
#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>

#include <signal.h>
#include <unistd.h>

using namespace support;
using trio::lowlevel::checkpoint;

namespace {

// Spins until it is told of.
[[gnu::noinline]] void burns(std::atomic<int> const& reports) {
  while (__atomic_load_n(reinterpret_cast<int const*>(&reports), __ATOMIC_RELAXED) == 0) {}
  asm volatile("");
}

int urgent = 0;

void count_urgent(int) { ++urgent; }

}  // namespace

TEST_CASE("a watchdog names the task that holds the thread, and where" *
          doctest::skip(support::under_tsan)) {
  trio::run([] {
    std::atomic<int> reports = 0;
    std::string text;
    trio::Watchdog const watchdog({.limit = 2ms, .report = [&](std::string const& report) {
                                     // A busy machine may hold up what comes before as well.
                                     if (report.find("burner: running") == report.npos) return;
                                     text = report;
                                     ++reports;
                                   }});
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon({.name = "idle"}, [] { trio::sleep(1us); });
      nursery.start_soon({.name = "burner"}, burns, std::cref(reports));
    });
    INFO(text);
    CHECK(text.find("trio: a task has held the thread for 0.") == 0);
    CHECK(text.find("\n- burner: running\n") != text.npos);
    CHECK(text.find("burns(std::atomic<int> const&) at ") != text.npos);
    CHECK(text.find("idle") == text.npos);
  });
}

TEST_CASE("one stretch is told of once, the next again" * doctest::skip(support::under_tsan)) {
  trio::run([] {
    std::atomic<int> reports = 0;
    trio::Watchdog const watchdog({.limit = 2ms, .report = [&](auto const&) { ++reports; }});
    burns(reports);
    // Many limits long.
    auto const start = trio::current_time();
    while (trio::current_time() - start < 50ms) {}
    CHECK(reports == 1);
    checkpoint();
    reports = 0;
    burns(reports);
  });
}

TEST_CASE("a task that blocks in the kernel is told of, and goes on as if it had not been" *
          doctest::skip(support::under_tsan)) {
  std::array<int, 2> ends{};
  REQUIRE(pipe(ends.data()) == 0);
  trio::run([&] {
    // The report itself is what lets the task go on.
    trio::Watchdog const watchdog({.limit = 2ms, .report = [&](std::string const& report) {
                                     CHECK(report.find("running") != report.npos);
                                     CHECK(write(ends[1], "x", 1) == 1);
                                   }});
    char byte = 0;
    CHECK(read(ends[0], &byte, 1) == 1);
    CHECK(byte == 'x');
  });
  close(ends[0]);
  close(ends[1]);
}

TEST_CASE("who waits, or passes checkpoints, does not hold the thread") {
  trio::run([] {
    std::atomic<int> reports = 0;
    // So long that a busy machine cannot make one step take it.
    trio::Watchdog const watchdog({.limit = 500ms, .report = [&](auto const&) { ++reports; }});
    trio::sleep(600ms);
    auto const start = trio::current_time();
    while (trio::current_time() - start < 600ms) checkpoint();
    CHECK(reports == 0);
  });
}

TEST_CASE("hidden: a watchdog without a reader" * doctest::skip()) {
  trio::run([] {
    trio::Watchdog const watchdog({.limit = 2ms});
    auto const start = trio::current_time();
    // Ends by SIGALRM if nothing comes.
    while (trio::current_time() - start < 100ms) {}
  });
}

TEST_CASE("by itself a watchdog writes to stderr" * doctest::skip(support::under_tsan)) {
  auto const ending = run_hidden_case("hidden: a watchdog without a reader");
  CHECK(ending.exit_code == 0);
  CHECK(ending.says("trio: a task has held the thread for 0."));
}

TEST_CASE("other uses of SIGURG go on") {
  urgent = 0;
  // Before there was a watchdog in the process, or after: on top of its handler.
  struct sigaction before = {};
  struct sigaction ours = {};
  ours.sa_handler = count_urgent;
  trio::run([&] { trio::Watchdog const watchdog; });
  sigaction(SIGURG, &ours, &before);
  raise(SIGURG);
  CHECK(urgent == 1);
  sigaction(SIGURG, &before, nullptr);
  raise(SIGURG);
  CHECK(urgent == 1);
}

TEST_CASE("a SIGURG that waits to be unblocked outlives a watchdog") {
  urgent = 0;
  struct sigaction before = {};
  struct sigaction ours = {};
  ours.sa_handler = count_urgent;
  trio::run([] { trio::Watchdog const first; });
  sigaction(SIGURG, &ours, &before);
  sigset_t only, mask;
  sigemptyset(&only);
  sigaddset(&only, SIGURG);
  pthread_sigmask(SIG_BLOCK, &only, &mask);
  trio::run([] {
    trio::Watchdog const watchdog;
    raise(SIGURG);
  });
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  CHECK(urgent == 1);
  sigaction(SIGURG, &before, nullptr);
}

TEST_CASE("of two watchdogs of a run each tells of its own, whichever goes first" *
          doctest::skip(support::under_tsan)) {
  trio::run([] {
    std::atomic<int> reports = 0;
    std::atomic<int> none = 0;
    auto const count = [&](auto const&) { ++reports; };
    auto first = std::make_unique<trio::Watchdog>(
        trio::WatchdogOptions{.limit = 1h, .report = [&](auto const&) { ++none; }});
    auto second =
        std::make_unique<trio::Watchdog>(trio::WatchdogOptions{.limit = 2ms, .report = count});
    auto third = std::make_unique<trio::Watchdog>(
        trio::WatchdogOptions{.limit = 1h, .report = [&](auto const&) { ++none; }});
    for (auto* gone : {&first, &third}) {
      gone->reset();
      checkpoint();
      reports = 0;
      burns(reports);
    }
    CHECK(none == 0);
  });
}

TEST_CASE("a watchdog needs a run and a limit") {
  CHECK_THROWS_AS(trio::Watchdog(), trio::MisuseError);
  trio::run([] {
    CHECK_THROWS_AS(trio::Watchdog({.limit = 0s}), std::invalid_argument);
    CHECK_THROWS_AS(trio::Watchdog({.limit = -1s}), std::invalid_argument);
    trio::Watchdog const one;
    trio::Watchdog const two;
    checkpoint();
  });
}
