// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <trio/testing.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <tuple>
#include <vector>

using namespace std::chrono_literals;
using support::in_root;
using support::with_daemon;

namespace {

int add(int a, int b) { return a + b; }

int not_exposed(int a) { return a; }

void nothing() {}

void nothing_registers_this() {}

struct Order {
  std::string id;
  std::vector<std::pair<std::string, double>> items;
  std::map<std::string, std::optional<int>> notes;

  bool operator==(Order const&) const = default;

  template <class Archive> void serialize(Archive& archive) { archive(id, items, notes); }
};

Order echo(Order order) { return order; }

std::size_t length(std::string_view text) { return text.size(); }

int sum(std::span<int const> numbers) { return std::accumulate(numbers.begin(), numbers.end(), 0); }

std::unique_ptr<int> boxed(int value) { return std::make_unique<int>(value); }

}  // namespace

TEST_CASE("arguments and results of all kinds cross: values, structures, views, move-only ones") {
  with_daemon(tractor::expose<add, nothing, echo, length, sum, boxed>, [](tractor::Portal daemon) {
    CHECK(daemon.run<add>(1, 2) == 3);
    daemon.run<nothing>();
    Order const order{"7", {{"apple", 1.5}, {"pear", -2}}, {{"a", 1}, {"b", std::nullopt}}};
    CHECK(daemon.run<echo>(order) == order);
    CHECK(daemon.run<length>("hello") == 5);
    CHECK(daemon.run<sum>(std::vector{1, 2, 3}) == 6);
    CHECK(*daemon.run<boxed>(5) == 5);
    CHECK(tractor::run<add>(daemon, 3, 4) == 7);
    CHECK(daemon.open_calls() == 0);
  });
}

TEST_CASE("B6: a function that an actor was not started with is refused by name; it serves on") {
  with_daemon(tractor::expose<add>, [](tractor::Portal daemon) {
    // Registered in this program, as another actor exposes it; but not in this one.
    static_cast<void>(tractor::expose<not_exposed>);
    try {
      daemon.run<not_exposed>(1);
      FAIL("it ran");
    } catch (tractor::FunctionNotExposed const& error) {
      CHECK(std::string(error.what()).find("not_exposed") != std::string::npos);
      CHECK(std::string(error.what()).find("daemon") != std::string::npos);
    }
    CHECK(daemon.run<add>(1, 2) == 3);
  });
}

TEST_CASE("B6: a function that no program has registered is refused by name; the actor serves on") {
  with_daemon(tractor::expose<add>, [](tractor::Portal daemon) {
    CHECK_THROWS_AS(daemon.run<nothing_registers_this>(), tractor::CallRefused);
    CHECK(daemon.run<add>(1, 2) == 3);
  });
}

namespace {

int calls_begun = 0;
int calls_cancelled = 0;
std::string last_reason;

std::pair<int, int> tally() { return {calls_begun, calls_cancelled}; }

std::string reason() { return last_reason; }

void wait_to_be_cancelled() {
  ++calls_begun;
  try {
    trio::sleep_forever();
  } catch (trio::Cancelled const& cancelled) {
    ++calls_cancelled;
    last_reason = trio::describe(cancelled.reason());
    throw;
  }
}

std::int64_t remaining_milliseconds() {
  auto const deadline = trio::current_effective_deadline();
  if (deadline == trio::never) return -1;
  return std::chrono::duration_cast<std::chrono::milliseconds>(deadline - trio::current_time())
      .count();
}

}  // namespace

TEST_CASE("F11: cancelling a call cancels the task in the other actor, and waits for its end") {
  with_daemon(tractor::expose<wait_to_be_cancelled, tally, reason>, [](tractor::Portal daemon) {
    auto const outcome = trio::move_on_after(30s, [&](trio::CancelScope& scope) {
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([&] {
          // In order: this is answered when the other has begun.
          while (daemon.run<tally>().first == 0) {}
          scope.cancel("changed my mind");
        });
        daemon.run<wait_to_be_cancelled>();
      });
    });
    CHECK(outcome.cut_short);
    CHECK(daemon.run<tally>() == std::pair(1, 1));
    CHECK(daemon.run<reason>().find("changed my mind") != std::string::npos);
    CHECK(daemon.open_calls() == 0);
  });
}

TEST_CASE("F11: a thousand calls cancelled at once leave nothing behind, here or there") {
  with_daemon(tractor::expose<wait_to_be_cancelled, tally>, [](tractor::Portal daemon) {
    trio::CancelScope scope;
    static_cast<void>(scope.enter([&] {
      trio::open_nursery([&](trio::Nursery& nursery) {
        for (int i = 0; i < 1000; ++i)
          nursery.start_soon([&] { daemon.run<wait_to_be_cancelled>(); });
        nursery.start_soon([&] {
          while (daemon.run<tally>().first < 1000) {}
          scope.cancel();
        });
      });
    }));
    CHECK(scope.cancelled_caught());
    CHECK(daemon.run<tally>() == std::pair(1000, 1000));
    CHECK(daemon.open_calls() == 0);
  });
}

TEST_CASE("the deadlines of the caller's scopes hold in the callee") {
  with_daemon(tractor::expose<remaining_milliseconds>, [](tractor::Portal daemon) {
    CHECK(daemon.run<remaining_milliseconds>() == -1);
    auto const remaining =
        *trio::move_on_after(60s, [&] { return daemon.run<remaining_milliseconds>(); });
    CHECK(remaining <= 60'000);
    CHECK(remaining > 30'000);
  });
}

TEST_CASE("a deadline that passes during a call is raised by the caller's own scope only") {
  with_daemon(tractor::expose<wait_to_be_cancelled, tally, reason>, [](tractor::Portal daemon) {
    CHECK_THROWS_AS(trio::fail_after(30ms, [&] { daemon.run<wait_to_be_cancelled>(); }),
                    trio::TooSlowError);
    CHECK(daemon.run<tally>() == std::pair(1, 1));
    CHECK(trio::move_on_after(30ms, [&] { daemon.run<wait_to_be_cancelled>(); }).cut_short);
    CHECK(daemon.run<tally>() == std::pair(2, 2));
    CHECK(daemon.open_calls() == 0);
  });
}

namespace {

void fail_when_cancelled() {
  try {
    trio::sleep_forever();
  } catch (trio::Cancelled const&) {
    throw std::runtime_error("clean-up failed");
  }
}

int ignore_cancellation() {
  try {
    trio::sleep_forever();
  } catch (trio::Cancelled const&) {}
  return 42;
}

}  // namespace

TEST_CASE("an error of the callee's clean-up is not lost behind the caller's cancellation") {
  with_daemon(tractor::expose<fail_when_cancelled>, [](tractor::Portal daemon) {
    CHECK_THROWS_AS(
        static_cast<void>(trio::move_on_after(20ms, [&] { daemon.run<fail_when_cancelled>(); })),
        tractor::RemoteActorError);
  });
}

TEST_CASE("C17: the value of a callee that swallowed its cancellation is dropped") {
  with_daemon(tractor::expose<ignore_cancellation>, [](tractor::Portal daemon) {
    auto const outcome =
        trio::move_on_after(20ms, [&] { return daemon.run<ignore_cancellation>(); });
    CHECK(outcome.cut_short);
    CHECK_FALSE(outcome.value);
  });
}

namespace {

void outlast_cancellation() { trio::shielded(trio::sleep_forever); }

}  // namespace

TEST_CASE("a callee that does not end when cancelled keeps its caller no longer than agreed") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto daemon = nursery.start_actor("daemon", {.expose = tractor::expose<outlast_cancellation>,
                                                   .cancel_timeout = 10ms,
                                                   .terminate_timeout = 10ms});
      auto const impatient = daemon.with({.cancel_patience = 10ms});
      CHECK(trio::move_on_after(10ms, [&] { impatient.run<outlast_cancellation>(); }).cut_short);
      CHECK(daemon.open_calls() == 0);
      nursery.cancel();
    });
  });
}

namespace {

std::vector<std::uint8_t> bulk(std::size_t size) { return std::vector<std::uint8_t>(size, 7); }

std::size_t weigh(std::vector<std::uint8_t> const& load) { return load.size(); }

}  // namespace

TEST_CASE("a 200 MB result and a 200 MB argument arrive whole") {
  constexpr std::size_t size = 200'000'000;
  with_daemon(tractor::expose<bulk, weigh>, [&](tractor::Portal daemon) {
    auto const load = daemon.run<bulk>(size);
    REQUIRE(load.size() == size);
    CHECK(load.front() == 7);
    CHECK(load.back() == 7);
    CHECK(daemon.run<weigh>(load) == size);
  });
}

TEST_CASE("cancelling a call overtakes the bulk data in front of it") {
  with_daemon(tractor::expose<weigh, wait_to_be_cancelled, tally>, [](tractor::Portal daemon) {
    std::string order;
    trio::CancelScope scope;
    std::vector<std::uint8_t> const load(100'000'000);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        static_cast<void>(scope.enter([&] { daemon.run<wait_to_be_cancelled>(); }));
        order += "c";
      });
      while (daemon.run<tally>().first == 0) {}
      nursery.start_soon([&] {
        daemon.run<weigh>(load);
        order += "b";
      });
      // The load is queued, as a call is sent before it first waits.
      while (daemon.open_calls() < 2) trio::lowlevel::checkpoint();
      scope.cancel();
    });
    CHECK(order == "cb");
    CHECK(daemon.run<tally>() == std::pair(1, 1));
  });
}

TEST_CASE("calls through one portal run side by side: a short one overtakes a long one") {
  with_daemon(tractor::expose<wait_to_be_cancelled, add>, [](tractor::Portal daemon) {
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { daemon.run<wait_to_be_cancelled>(); });
      for (int i = 0; i < 10; ++i) CHECK(daemon.run<add>(i, 1) == i + 1);
      nursery.cancel_scope().cancel();
    });
  });
}
