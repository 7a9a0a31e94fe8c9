// SPDX-License-Identifier: BSL-1.0
// What Python's trio itself answered to questions about its corner cases (o01 to o28), asked again.
#include "support.hpp"

#include <exception>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

using namespace support;
using trio::lowlevel::checkpoint;
using trio::testing::wait_all_tasks_blocked;

namespace {

// Which of two nested scopes caught a Cancelled.
struct Caught {
  bool outer;
  bool inner;

  bool operator==(Caught const&) const = default;

  friend std::ostream& operator<<(std::ostream& out, Caught const& caught) {
    return out << "outer " << caught.outer << ", inner " << caught.inner;
  }
};

constexpr Caught outer_caught = {true, false};
constexpr Caught inner_caught = {false, true};

// Runs `body(outer, inner)` in two nested scopes.
template <class Body> Caught nest(Body const& body) {
  return run([&] {
    trio::CancelScope outer;
    trio::CancelScope inner;
    within(outer, [&] { within(inner, [&] { body(outer, inner); }); });
    return Caught{outer.cancelled_caught(), inner.cancelled_caught()};
  });
}

// A Cancelled of a scope that has ended since.
std::exception_ptr stale_cancelled() {
  std::exception_ptr stale;
  trio::CancelScope scope;
  within(scope, [&] {
    scope.cancel();
    stale = thrown_by(checkpoint);
  });
  return stale;
}

void child_that_reports(trio::TaskStatus<int>& status) {
  status.started(1);
  trio::sleep_forever();
}

}  // namespace

TEST_CASE("o01: of two nested deadlines that are equal the outer scope catches") {
  run([] {
    trio::Time const soon = trio::after(trio::current_time(), 1s);
    trio::CancelScope outer(soon);
    trio::CancelScope inner(soon);
    within(outer, [&] { within(inner, [] { trio::sleep_forever(); }); });
    CHECK(outer.cancelled_caught());
    CHECK_FALSE(inner.cancelled_caught());
    CHECK(outer.cancel_called());
    CHECK(inner.cancel_called());
  });
}

TEST_CASE("o02: of two nested deadlines overdue at one checkpoint the outer scope catches") {
  run([](trio::testing::MockClock& clock) {
    trio::CancelScope outer(trio::after(trio::current_time(), 2s));
    trio::CancelScope inner(trio::after(trio::current_time(), 1s));
    within(outer, [&] {
      within(inner, [&] {
        clock.jump(5s);
        checkpoint();
      });
    });
    CHECK(outer.cancelled_caught());
    CHECK_FALSE(inner.cancelled_caught());
  });
}

TEST_CASE("o03: an outer scope cancelled while the inner's Cancelled is in flight catches it") {
  CHECK(nest([](trio::CancelScope& outer, trio::CancelScope& inner) {
          inner.cancel();
          try {
            checkpoint();
          } catch (trio::Cancelled const&) {
            outer.cancel();
            throw;
          }
        }) == outer_caught);
}

TEST_CASE("o04: an inner scope shielded and cancelled while the outer's is in flight catches it") {
  CHECK(nest([](trio::CancelScope& outer, trio::CancelScope& inner) {
          outer.cancel();
          try {
            checkpoint();
          } catch (trio::Cancelled const&) {
            inner.set_shield(true);
            inner.cancel();
            throw;
          }
        }) == inner_caught);
}

TEST_CASE("o05: a scope whose Cancelled was swallowed inside has caught nothing") {
  run([] {
    trio::CancelScope scope;
    within(scope, [&] {
      scope.cancel();
      CHECK_THROWS_AS(checkpoint(), trio::Cancelled);
    });
    CHECK_FALSE(scope.cancelled_caught());
    CHECK(scope.cancel_called());
  });
}

TEST_CASE("o06: a stale Cancelled rethrown in a scope that is not cancelled leaves run()") {
  auto const error = thrown_by([] {
    run([] {
      trio::CancelScope scope;
      within(scope, [] { std::rethrow_exception(stale_cancelled()); });
    });
  });
  CHECK(matches(error, of<trio::Cancelled>()));
}

TEST_CASE("o07: a stale Cancelled rethrown in another cancelled scope is caught by that one") {
  run([] {
    trio::CancelScope scope;
    within(scope, [&] {
      auto const stale = stale_cancelled();
      scope.cancel();
      std::rethrow_exception(stale);
    });
    CHECK(scope.cancelled_caught());
  });
}

TEST_CASE("o08: an empty nursery that cancels itself has cut nothing short") {
  run([] {
    auto const value = trio::open_nursery([](trio::Nursery& nursery) {
      nursery.cancel_scope().cancel();
      return std::optional(1);
    });
    CHECK(value == 1);
  });
}

TEST_CASE("o09: a nursery that cancels itself catches the Cancelled of its body's checkpoint") {
  run([] {
    auto const value = trio::open_nursery([](trio::Nursery& nursery) {
      nursery.cancel_scope().cancel();
      checkpoint();
      return std::optional(1);
    });
    CHECK(value == std::nullopt);
  });
}

TEST_CASE("o10: a Cancelled leaves a nursery as a group if an outer scope is cancelled as well") {
  run([] {
    trio::CancelScope outer;
    std::exception_ptr between;
    within(outer, [&] {
      between = thrown_by([&] {
        trio::open_nursery([&](trio::Nursery& nursery) {
          nursery.cancel_scope().cancel();
          outer.cancel();
          checkpoint();
        });
      });
      std::rethrow_exception(between);
    });
    CHECK(matches(between, group(of<trio::Cancelled>())));
    CHECK(outer.cancelled_caught());
  });
}

TEST_CASE("o11: an error of a nursery's body gets no Cancelled for company") {
  run([] {
    trio::CancelScope outer;
    within(outer, [&] {
      auto const error = thrown_by([&] {
        trio::open_nursery([&](trio::Nursery&) {
          outer.cancel();
          throw KeyError();
        });
      });
      CHECK(matches(error, group(of<KeyError>())));
    });
    CHECK_FALSE(outer.cancelled_caught());
  });
}

TEST_CASE("o12: an error that is left after fail_after's deadline wins over TooSlowError") {
  auto const error = thrown_by([] {
    run([] {
      trio::fail_after(1s, [] {
        trio::open_nursery([](trio::Nursery& nursery) {
          nursery.start_soon(trio::sleep_forever);
          nursery.start_soon([] {
            try {
              trio::sleep_forever();
            } catch (trio::Cancelled const&) {
              throw KeyError();
            }
          });
        });
      });
    });
  });
  CHECK(matches(error, group(of<KeyError>())));
}

TEST_CASE("o13: a group holds the errors in the order in which tasks ended") {
  auto const error = thrown_by([] {
    run([] {
      trio::open_nursery([](trio::Nursery& nursery) {
        nursery.start_soon([] {
          try {
            trio::sleep_forever();
          } catch (trio::Cancelled const&) {
            throw ValueError();
          }
        });
        wait_all_tasks_blocked();
        throw KeyError();
      });
    });
  });
  REQUIRE(matches(error, group(of<KeyError>(), of<ValueError>())));
  auto const& members = trio::exception_cast<trio::BaseExceptionGroup>(error)->exceptions();
  CHECK(matches(members[0], of<KeyError>()));
  CHECK(matches(members[1], of<ValueError>()));
}

TEST_CASE("o14: who is given a lock and cancelled then, has the lock until its next checkpoint") {
  run([] {
    trio::Lock lock;
    trio::CancelScope scope;
    Log log;
    lock.acquire();
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        within(scope, [&] {
          auto const guard = lock.guard();
          log.push_back("got");
          try {
            checkpoint();
          } catch (trio::Cancelled const&) {
            log.push_back("cancelled after");
            throw;
          }
        });
      });
      wait_all_tasks_blocked();
      lock.release();
      scope.cancel();
    });
    CHECK(log == Log{"got", "cancelled after"});
    CHECK(scope.cancelled_caught());
    CHECK_FALSE(lock.locked());
  });
}

TEST_CASE("o15: who is cancelled before a lock is released is skipped for the next") {
  run([] {
    trio::Lock lock;
    trio::CancelScope first;
    trio::CancelScope second;
    Log log;
    auto const wait = [&](trio::CancelScope& scope, char const* name) {
      within(scope, [&] {
        auto const guard = lock.guard();
        log.push_back(name);
      });
    };
    lock.acquire();
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon(wait, std::ref(first), "first");
      wait_all_tasks_blocked();
      nursery.start_soon(wait, std::ref(second), "second");
      wait_all_tasks_blocked();
      first.cancel();
      lock.release();
    });
    CHECK(log == Log{"second"});
    CHECK(first.cancelled_caught());
  });
}

TEST_CASE("o16: a value sent to a receiver that is cancelled then is received all the same") {
  run([] {
    auto [sender, receiver] = trio::open_memory_channel<int>(0);
    trio::CancelScope scope;
    std::vector<int> received;
    trio::open_nursery([&, &from = receiver, &to = sender](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        within(scope, [&] {
          received.push_back(from.receive());
          checkpoint();
          received.push_back(-1);
        });
      });
      wait_all_tasks_blocked();
      to.send_nowait(7);
      scope.cancel();
    });
    CHECK(received == std::vector{7});
    CHECK(scope.cancelled_caught());
  });
}

TEST_CASE("o17: a scope of no time without a checkpoint is cancelled and catches nothing") {
  run([] {
    auto scope = trio::CancelScope::after(0s);
    auto const outcome = scope.enter([] {});
    CHECK(scope.cancel_called());
    CHECK_FALSE(scope.cancelled_caught());
    CHECK_FALSE(outcome.cut_short);
  });
}

TEST_CASE("o18: start() in a cancelled scope leaves the child there to be cancelled") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      auto scope = trio::CancelScope::after(1s);
      within(scope, [&] {
        scope.cancel();
        nursery.start(child_that_reports);
      });
      CHECK(scope.cancelled_caught());
    });
  });
}

TEST_CASE(
    "o19: start() from a shield into a cancelled nursery returns, and the child is cancelled") {
  run([] {
    int value = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.cancel_scope().cancel();
      trio::shielded([&] { value = nursery.start(child_that_reports); });
    });
    CHECK(value == 1);
  });
}

TEST_CASE("o20: after started() the caller's timeout is over and the child's own scope goes on") {
  run([] {
    trio::Time const begin = trio::current_time();
    bool caller_caught = true;
    bool inner_caught_it = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      auto caller = trio::CancelScope::after(1s);
      within(caller, [&] {
        nursery.start([&](trio::TaskStatus<void>& status) {
          auto inner = trio::CancelScope::after(5s);
          within(inner, [&] {
            trio::open_nursery([&](trio::Nursery& own) {
              status.started();
              own.start_soon(trio::sleep_forever);
            });
          });
          inner_caught_it = inner.cancelled_caught();
        });
      });
      caller_caught = caller.cancelled_caught();
    });
    CHECK_FALSE(caller_caught);
    CHECK(inner_caught_it);
    CHECK(trio::current_time() - begin == 5s);
  });
}

TEST_CASE("o21: started() after start() was cancelled moves nothing to the nursery") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      auto scope = trio::CancelScope::after(1s);
      within(scope, [&] {
        nursery.start([](trio::TaskStatus<std::string>& status) {
          try {
            trio::sleep_forever();
          } catch (trio::Cancelled const&) {
            status.started("late");
            throw;
          }
        });
      });
      CHECK(scope.cancelled_caught());
      CHECK(nursery.child_task_count() == 0);
    });
  });
}

TEST_CASE("o22: a shield in a nursery's body delays a child's error and keeps it") {
  run([] {
    trio::Time const begin = trio::current_time();
    auto const error = thrown_by([] {
      trio::open_nursery([](trio::Nursery& nursery) {
        nursery.start_soon([] { throw KeyError(); });
        trio::shielded([] { trio::sleep(3s); });
        trio::sleep(100s);
      });
    });
    CHECK(matches(error, group(of<KeyError>())));
    CHECK(trio::current_time() - begin == 3s);
  });
}

TEST_CASE("o23: the effective deadline is the earliest up to the first shield") {
  run([] {
    auto const at = [](trio::Duration length) { return trio::after(trio::Time(), length); };
    trio::CancelScope first(at(5s));
    trio::CancelScope shield(at(10s), true);
    trio::CancelScope inside(at(7s));
    within(first, [&] {
      within(shield, [&] {
        CHECK(trio::current_effective_deadline() == at(10s));
        within(inside, [&] { CHECK(trio::current_effective_deadline() == at(7s)); });
      });
    });
  });
}

TEST_CASE("o25: sleeping until a moment in the past is a checkpoint") {
  run([] {
    trio::testing::assert_checkpoints(
        [] { trio::sleep_until(trio::after(trio::current_time(), -1s)); });
  });
}

TEST_CASE("o26: a system task is cancelled when the main task has returned") {
  Log log;
  run([&] {
    trio::lowlevel::spawn_system_task("sleeper", [&] {
      try {
        trio::sleep_forever();
      } catch (trio::Cancelled const&) {
        log.push_back("cancelled");
        throw;
      }
    });
    checkpoint();
    log.push_back("main returns");
  });
  CHECK(log == Log{"main returns", "cancelled"});
}

TEST_CASE("o27: a new deadline does not take a cancellation back") {
  run([] {
    trio::CancelScope scope;
    within(scope, [&] {
      scope.cancel();
      scope.set_deadline(trio::after(trio::current_time(), 100s));
      CHECK(trio::current_effective_deadline() == trio::expired);
      checkpoint();
    });
    CHECK(scope.cancelled_caught());
  });
}

TEST_CASE("o28: the group of a nested nursery stays a group inside the outer's") {
  auto const error = thrown_by([] {
    run([] {
      trio::open_nursery([](trio::Nursery& outer) {
        outer.start_soon([] { throw KeyError(); });
        trio::open_nursery([](trio::Nursery& inner) {
          inner.start_soon([] { throw ValueError(); });
          inner.start_soon(trio::sleep_forever);
        });
      });
    });
  });
  CHECK(matches(error, group(of<KeyError>(), group(of<ValueError>()))));
}
