// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

using namespace support;
using trio::lowlevel::cancel_shielded_checkpoint;
using trio::lowlevel::checkpoint;
using trio::testing::wait_all_tasks_blocked;

// Handlers for errors let a Cancelled pass, and only the library makes one [C:15, C:53].
static_assert(!std::is_base_of_v<std::exception, trio::Cancelled>);
static_assert(!std::is_default_constructible_v<trio::Cancelled>);
static_assert(!std::is_constructible_v<trio::Cancelled, std::shared_ptr<trio::CancelReason const>>);
static_assert(std::is_final_v<trio::Cancelled>);
// A scope is a place; it can be neither copied nor moved.
static_assert(!std::is_copy_constructible_v<trio::CancelScope>);
static_assert(!std::is_move_constructible_v<trio::CancelScope>);

namespace {

// The reason that a Cancelled thrown by `fn` tells.
template <class F> trio::CancelReason reason_of(F&& fn) {
  auto const error = thrown_by(std::forward<F>(fn));
  auto const* cancelled = trio::exception_cast<trio::Cancelled>(error);
  REQUIRE(cancelled);
  return cancelled->reason();
}

// Enters `depth` more scopes around `body`.
void nest(int depth, std::function<void()> const& body) {
  if (depth == 0) {
    body();
    return;
  }
  trio::CancelScope scope;
  within(scope, [&] { nest(depth - 1, body); });
  CHECK_FALSE(scope.cancelled_caught());
}

}  // namespace

TEST_CASE("a cancelled scope cuts its body short and the code after it goes on") {
  run([] {
    Log log;
    trio::CancelScope scope;
    auto const outcome = scope.enter([&] {
      scope.cancel();
      log.push_back("before");
      checkpoint();
      log.push_back("after");
    });
    CHECK(log == Log{"before"});
    CHECK(outcome.cut_short);
    CHECK_FALSE(outcome);
    CHECK(scope.cancel_called());
    CHECK(scope.cancelled_caught());
    checkpoint();
  });
}

TEST_CASE("a scope that is not cancelled hands on what its body returns") {
  run([] {
    auto outcome = trio::CancelScope().enter([] { return std::make_unique<int>(7); });
    CHECK_FALSE(outcome.cut_short);
    REQUIRE(outcome);
    CHECK(**std::move(outcome) == 7);
  });
}

TEST_CASE("the outcome of a body that was cut short has no value") {
  run([] {
    trio::CancelScope scope;
    auto outcome = scope.enter([&] {
      scope.cancel();
      checkpoint();
      return 7;
    });
    CHECK(outcome.cut_short);
    CHECK_FALSE(outcome);
    CHECK_THROWS_AS(static_cast<void>(*outcome), std::bad_optional_access);
  });
}

TEST_CASE("the body of a scope may take the scope itself") {
  run([] {
    auto const outcome = trio::CancelScope().enter([](trio::CancelScope& scope) {
      scope.cancel();
      checkpoint();
    });
    CHECK(outcome.cut_short);
  });
}

TEST_CASE("another task's cancel wakes a parked task") {
  run([] {
    trio::CancelScope scope;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { within(scope, [] { trio::sleep_forever(); }); });
      wait_all_tasks_blocked();
      scope.cancel();
    });
    CHECK(scope.cancelled_caught());
  });
}

TEST_CASE("a scope cancelled before it is entered cancels at the first checkpoint [R:694]") {
  trio::CancelScope scope;
  scope.cancel();
  CHECK(scope.cancel_called());
  run([&] {
    bool entered = false;
    within(scope, [&] {
      entered = true;
      checkpoint();
    });
    CHECK(entered);
    CHECK(scope.cancelled_caught());
  });
}

TEST_CASE("a scope can be entered only once [R:694]") {
  run([] {
    trio::CancelScope scope;
    within(scope, [&] { CHECK_THROWS_AS(within(scope, [] {}), trio::MisuseError); });
    CHECK_THROWS_AS(within(scope, [] {}), trio::MisuseError);
    // The refusal leaves the task where it was.
    trio::CancelScope next;
    next.cancel();
    within(next, [] { checkpoint(); });
    CHECK(next.cancelled_caught());
  });
}

TEST_CASE("a scope cancelled after its end is only told so [R:694]") {
  run([] {
    trio::CancelScope scope;
    within(scope, [] {});
    scope.cancel();
    CHECK(scope.cancel_called());
    CHECK_FALSE(scope.cancelled_caught());
    checkpoint();
  });
}

TEST_CASE("every cancellable primitive throws in a cancelled scope [R:403]") {
  run([] {
    trio::CancelScope scope;
    within(scope, [&] {
      scope.cancel();
      CHECK_THROWS_AS(checkpoint(), trio::Cancelled);
      CHECK_THROWS_AS(trio::lowlevel::checkpoint_if_cancelled(), trio::Cancelled);
      CHECK_THROWS_AS(trio::sleep(1s), trio::Cancelled);
      CHECK_THROWS_AS(trio::sleep_forever(), trio::Cancelled);
      CHECK_THROWS_AS(trio::lowlevel::wait_task_rescheduled([](trio::lowlevel::RaiseCancel const&) {
                        return trio::lowlevel::Abort::succeeded;
                      }),
                      trio::Cancelled);
      CHECK_THROWS_AS(wait_all_tasks_blocked(), trio::Cancelled);
      CHECK_NOTHROW(cancel_shielded_checkpoint());
    });
  });
}

TEST_CASE("cancelling twice is cancelling once [R:441]") {
  run([] {
    trio::CancelScope scope;
    within(scope, [&] {
      scope.cancel();
      scope.cancel();
      CHECK_THROWS_AS(checkpoint(), trio::Cancelled);
    });
  });
}

TEST_CASE("cancellation is a level: each checkpoint throws again [R:441]") {
  run([] {
    trio::CancelScope scope;
    within(scope, [&] {
      scope.cancel();
      for (int i = 0; i < 5; ++i) CHECK_THROWS_AS(trio::sleep(1s), trio::Cancelled);
      checkpoint();
    });
    CHECK(scope.cancelled_caught());
  });
}

TEST_CASE("of several cancelled scopes the outermost catches [R:643]") {
  run([] {
    trio::CancelScope first;
    trio::CancelScope second;
    trio::CancelScope third;
    within(first, [&] {
      within(second, [&] {
        within(third, [&] {
          third.cancel();
          second.cancel();
          trio::sleep_forever();
        });
      });
    });
    CHECK(third.cancel_called());
    CHECK_FALSE(third.cancelled_caught());
    CHECK(second.cancel_called());
    CHECK(second.cancelled_caught());
    CHECK_FALSE(first.cancel_called());
    CHECK_FALSE(first.cancelled_caught());
  });
}

TEST_CASE("a scope cancelled after its last checkpoint has caught nothing [R:643]") {
  run([] {
    trio::CancelScope scope;
    within(scope, [&] {
      scope.cancel();
      cancel_shielded_checkpoint();
    });
    checkpoint();
    CHECK(scope.cancel_called());
    CHECK_FALSE(scope.cancelled_caught());
  });
}

TEST_CASE("a shield protects from outside while it is up [R:512]") {
  run([] {
    trio::CancelScope outer;
    trio::CancelScope inner;
    within(outer, [&] {
      within(inner, [&] {
        checkpoint();
        outer.cancel();
        CHECK_THROWS_AS(checkpoint(), trio::Cancelled);
        CHECK_FALSE(inner.shield());
        inner.set_shield(true);
        CHECK(inner.shield());
        CHECK_NOTHROW(checkpoint());
        inner.set_shield(false);
        CHECK_THROWS_AS(checkpoint(), trio::Cancelled);
        inner.set_shield(true);
        CHECK_NOTHROW(checkpoint());
      });
    });
    CHECK_FALSE(outer.cancelled_caught());
    CHECK_FALSE(inner.cancelled_caught());
  });
}

TEST_CASE("a shield does not protect from scopes inside it [R:512]") {
  run([] {
    trio::CancelScope outer;
    within(outer, [&] {
      trio::shielded([&] {
        outer.cancel();
        trio::CancelScope innermost;
        within(innermost, [&] {
          innermost.cancel();
          checkpoint();
        });
        CHECK(innermost.cancelled_caught());
        CHECK_NOTHROW(checkpoint());
      });
    });
  });
}

TEST_CASE("a shield does not protect from the scope that has it [R:512]") {
  run([] {
    trio::CancelScope outer;
    trio::CancelScope inner(trio::never, true);
    within(outer, [&] {
      outer.cancel();
      within(inner, [&] {
        checkpoint();
        inner.cancel();
        checkpoint();
      });
      CHECK(inner.cancelled_caught());
      CHECK_THROWS_AS(checkpoint(), trio::Cancelled);
    });
    CHECK_FALSE(outer.cancelled_caught());
  });
}

TEST_CASE("shielded() returns what its body returns") {
  run([] {
    trio::CancelScope scope;
    within(scope, [&] {
      scope.cancel();
      CHECK(trio::shielded([] {
              checkpoint();
              return 7;
            }) == 7);
    });
  });
}

TEST_CASE("lowering a shield wakes the tasks parked behind it [R:575]") {
  run([] {
    Log log;
    trio::CancelScope outer;
    within(outer, [&] {
      trio::open_nursery([&](trio::Nursery& nursery) {
        outer.cancel();
        nursery.cancel_scope().set_shield(true);
        nursery.start_soon([&] {
          log.push_back("sleeping");
          CHECK_THROWS_AS(trio::sleep_forever(), trio::Cancelled);
          log.push_back("cancelled");
        });
        wait_all_tasks_blocked();
        CHECK(log == Log{"sleeping"});
        nursery.cancel_scope().set_shield(false);
        // Not the nursery's end is to wake it.
        let_others_block();
        CHECK(log == Log{"sleeping", "cancelled"});
      });
    });
  });
}

TEST_CASE("a shield raised while a Cancelled passes changes who catches it [R:682]") {
  run([] {
    trio::CancelScope outer;
    trio::CancelScope inner;
    within(outer, [&] {
      within(inner, [&] {
        inner.cancel();
        outer.cancel();
        try {
          checkpoint();
        } catch (trio::Cancelled const&) {
          inner.set_shield(true);
          throw;
        }
      });
      // Outside of inner, outer is as cancelled as ever.
      CHECK_THROWS_AS(checkpoint(), trio::Cancelled);
    });
    CHECK(inner.cancelled_caught());
    CHECK_FALSE(outer.cancelled_caught());
  });
}

TEST_CASE("a Cancelled that is shielded off before it arrives is caught by nobody [R:682]") {
  auto const error = thrown_by([] {
    run([] {
      trio::CancelScope outer;
      within(outer, [&] {
        trio::shielded([&] {
          trio::CancelScope inner;
          within(inner, [&] {
            inner.cancel();
            std::exception_ptr const cancelled = thrown_by(checkpoint);
            trio::CancelScope other;
            within(other, [&] { std::rethrow_exception(cancelled); });
          });
          CHECK(inner.cancelled_caught());
          std::exception_ptr stale;
          trio::CancelScope third;
          within(third, [&] {
            third.cancel();
            stale = thrown_by(checkpoint);
          });
          std::rethrow_exception(stale);
        });
      });
    });
  });
  CHECK(matches(error, of<trio::Cancelled>()));
}

TEST_CASE("raising a shield leaves tasks parked that no cancellation has reached") {
  run([] {
    trio::CancelScope outer;
    trio::CancelScope inner;
    trio::Event event;
    bool waited = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        within(outer, [&] {
          within(inner, [&] {
            event.wait();
            waited = true;
            checkpoint();
          });
        });
      });
      wait_all_tasks_blocked();
      inner.set_shield(true);
      outer.cancel();
      wait_all_tasks_blocked();
      CHECK_FALSE(waited);
      event.set();
    });
    CHECK(waited);
    CHECK_FALSE(outer.cancelled_caught());
  });
}

TEST_CASE("a cancellation reaches grandchildren [R:553]") {
  run([] {
    Log log;
    auto const leaf = [&](char const* name) {
      CHECK_THROWS_AS(trio::sleep_forever(), trio::Cancelled);
      log.push_back(name);
    };
    auto const branch = [&](char const* name) {
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon(leaf, name);
        trio::sleep_forever();
      });
    };
    trio::CancelScope scope;
    within(scope, [&] {
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon(branch, "a");
        nursery.start_soon(branch, "b");
        wait_all_tasks_blocked();
        scope.cancel();
      });
    });
    CHECK(scope.cancelled_caught());
    // Who hears of it first is not said.
    CHECK(log.size() == 2);
  });
}

TEST_CASE("a task belongs to the scope of its nursery, not of who started it [R:553]") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      trio::CancelScope scope;
      bool slept = false;
      within(scope, [&] {
        nursery.start_soon([&] {
          trio::sleep(10s);
          slept = true;
        });
        scope.cancel();
      });
      auto const in_time = trio::move_on_after(1s, [&] {
        nursery.start_soon([] { trio::sleep(20s); });
        return true;
      });
      CHECK(in_time);
      nursery.join();
      CHECK(slept);
    });
    CHECK(trio::current_time() == trio::after(trio::Time(), 20s));
  });
}

TEST_CASE("a scope takes the Cancelled out of a group and leaves the rest as it is [R:459]") {
  std::exception_ptr inside;
  bool outer_caught = false;
  auto const error = thrown_by([&] {
    run([&] {
      trio::CancelScope outer;
      auto const rest = thrown_by([&] {
        within(outer, [&] {
          inside = thrown_by([&] {
            trio::open_nursery([&](trio::Nursery& nursery) {
              nursery.start_soon(trio::sleep_forever);
              nursery.start_soon(trio::sleep_forever);
              nursery.cancel_scope().cancel();
              let_others_block();
              nursery.start_soon(trio::sleep_forever);
              outer.cancel();
              nursery.start_soon([] { throw KeyError(); });
            });
          });
          std::rethrow_exception(inside);
        });
      });
      outer_caught = outer.cancelled_caught();
      std::rethrow_exception(rest);
    });
  });
  auto const cancelled = of<trio::Cancelled>();
  CHECK(matches(inside, group(cancelled, cancelled, cancelled, of<KeyError>())));
  CHECK(outer_caught);
  CHECK(matches(error, group(of<KeyError>())));
}

TEST_CASE("a scope that finds no Cancelled in a group has caught nothing [R:2827]") {
  run([] {
    trio::CancelScope scope;
    auto const thrown = trio::make_exception_group(
        "mine", {std::make_exception_ptr(KeyError()), std::make_exception_ptr(ValueError())});
    auto const error = thrown_by([&] {
      within(scope, [&] {
        scope.cancel();
        std::rethrow_exception(thrown);
      });
    });
    CHECK(error == thrown);
    CHECK_FALSE(scope.cancelled_caught());
  });
}

TEST_CASE("an error passes a cancelled scope as the object it is") {
  run([] {
    auto const thrown = std::make_exception_ptr(KeyError());
    trio::CancelScope scope;
    auto const error = thrown_by([&] {
      within(scope, [&] {
        scope.cancel();
        try {
          checkpoint();
        } catch (trio::Cancelled const&) {
          std::rethrow_exception(thrown);
        }
      });
    });
    CHECK(error == thrown);
    CHECK_FALSE(scope.cancelled_caught());
    // The task has left the scope: nothing is cancelled any more.
    CHECK_NOTHROW(checkpoint());
  });
}

TEST_CASE("scopes may be nested thousands deep [R:2580]") {
  trio::RunOptions options;
  options.stack_size = 64u << 20;
  trio::run(options, [] {
    trio::CancelScope outermost;
    within(outermost, [&] {
      nest(5000, [&] {
        outermost.cancel();
        checkpoint();
      });
    });
    CHECK(outermost.cancelled_caught());
  });
}

TEST_CASE("cancelling scopes that are nested deep takes no stack for each") {
  trio::RunOptions options;
  options.stack_size = 64u << 20;
  trio::run(options, [] {
    trio::CancelScope outermost;
    char const* cancelling = nullptr;
    std::ptrdiff_t used = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        within(outermost, [&] {
          nest(5000, [&] {
            trio::lowlevel::wait_task_rescheduled([&](trio::lowlevel::RaiseCancel const&) {
              used = cancelling - static_cast<char const*>(__builtin_frame_address(0));
              return trio::lowlevel::Abort::succeeded;
            });
          });
        });
      });
      wait_all_tasks_blocked();
      cancelling = static_cast<char const*>(__builtin_frame_address(0));
      outermost.cancel();
    });
    CHECK(used > 0);
    CHECK(used < 16 * 1024);
    CHECK(outermost.cancelled_caught());
  });
}

TEST_CASE("the effective deadline follows shields, cancellations and changes [R:1824]") {
  run([] {
    auto const at = [](trio::Duration length) { return trio::after(trio::Time(), length); };
    auto const effective = [] { return trio::current_effective_deadline(); };
    CHECK(effective() == trio::never);
    trio::CancelScope first;
    within(first, [&] {
      CHECK(effective() == trio::never);
      first.set_deadline(at(5s));
      CHECK(effective() == at(5s));
      trio::CancelScope second;
      within(second, [&] {
        CHECK(effective() == at(5s));
        second.set_deadline(at(3s));
        CHECK(effective() == at(3s));
        second.set_deadline(at(10s));
        CHECK(effective() == at(5s));
        second.set_shield(true);
        CHECK(effective() == at(10s));
        second.cancel();
        CHECK(effective() == trio::expired);
      });
      CHECK(effective() == at(5s));
      first.cancel();
      CHECK(effective() == trio::expired);
    });
    CHECK(effective() == trio::never);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.cancel_scope().set_deadline(at(9s));
      CHECK(effective() == at(9s));
      nursery.start_soon([&] { CHECK(effective() == at(9s)); });
    });
  });
}

TEST_CASE("a Cancelled tells who called cancel() and why [C:68]") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      trio::CancelScope scope;
      nursery.start_soon({.name = "the canceller"}, [&] { scope.cancel("enough"); });
      within(scope, [] {
        auto const reason = reason_of(trio::sleep_forever);
        CHECK(reason.source == trio::CancelSource::call);
        CHECK(reason.source_task == "the canceller");
        CHECK(reason.reason == "enough");
      });
      CHECK(scope.cause().reason == "enough");
    });
  });
}

TEST_CASE("a scope cancelled outside of any task names none [C:68]") {
  trio::CancelScope scope;
  CHECK(scope.cause().reason.empty());
  scope.cancel("before the run");
  run([&] {
    within(scope, [] {
      auto const reason = reason_of(checkpoint);
      CHECK(reason.source == trio::CancelSource::call);
      CHECK(reason.source_task.empty());
      CHECK(reason.reason == "before the run");
    });
  });
}

TEST_CASE("a Cancelled tells of a deadline [C:68]") {
  run([] {
    trio::CancelScope overdue(trio::expired);
    within(overdue, [] { CHECK(reason_of(checkpoint).source == trio::CancelSource::deadline); });
    trio::CancelScope moved;
    within(moved, [&] {
      moved.set_deadline(trio::expired);
      CHECK(reason_of(checkpoint).source == trio::CancelSource::deadline);
    });
    auto later = trio::CancelScope::after(1s);
    within(later,
           [] { CHECK(reason_of(trio::sleep_forever).source == trio::CancelSource::deadline); });
    trio::CancelScope asked;
    within(asked, [&] {
      asked.set_deadline(trio::expired);
      CHECK(asked.cancel_called());
      CHECK(reason_of(checkpoint).source == trio::CancelSource::deadline);
    });
  });
}

TEST_CASE("a Cancelled tells which task failed and how [C:68]") {
  run([] {
    auto const error = thrown_by([] {
      trio::open_nursery([](trio::Nursery& nursery) {
        nursery.start_soon([] {
          auto const reason = reason_of(trio::sleep_forever);
          CHECK(reason.source == trio::CancelSource::nursery);
          CHECK(reason.source_task == "the culprit");
          CHECK(reason.reason.find("KeyError: lost") != std::string::npos);
        });
        nursery.start_soon({.name = "the culprit"}, [] { throw KeyError("lost"); });
      });
    });
    CHECK(matches(error, group(of<KeyError>())));
  });
}

TEST_CASE("a Cancelled names a failed task that was given no name by its function [C:68]") {
  struct Culprit {
    void operator()() const { throw KeyError(); }
  };

  run([] {
    auto const error = thrown_by([] {
      trio::open_nursery([](trio::Nursery& nursery) {
        nursery.start_soon(Culprit());
        auto const name = reason_of(trio::sleep_forever).source_task;
        CHECK_MESSAGE(name.find("Culprit") != std::string::npos, name);
      });
    });
    CHECK(matches(error, group(of<KeyError>())));
  });
}

TEST_CASE("a Cancelled tells of the failure of a nursery's body [C:68]") {
  run([] {
    auto const error = thrown_by([] {
      trio::open_nursery([](trio::Nursery& outer) {
        outer.start_soon({.name = "the parent"}, [] {
          trio::open_nursery([](trio::Nursery& nursery) {
            nursery.start_soon([] {
              auto const reason = reason_of(trio::sleep_forever);
              CHECK(reason.source == trio::CancelSource::nursery);
              CHECK(reason.source_task == "the parent");
              CHECK(reason.reason.find("ValueError") != std::string::npos);
            });
            wait_all_tasks_blocked();
            throw ValueError();
          });
        });
      });
    });
    CHECK(matches(error, group(group(of<ValueError>()))));
  });
}

TEST_CASE(
    "a Cancelled under start() tells the cause of the caller's, then of the nursery's [C:106]") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      trio::CancelScope caller;
      within(caller, [&] {
        nursery.start([&](trio::TaskStatus<void>&) {
          caller.cancel("of the caller");
          CHECK(reason_of(checkpoint).reason == "of the caller");
          checkpoint();
        });
      });
      nursery.start([](trio::TaskStatus<void>& status) {
        status.started();
        CHECK(reason_of(trio::sleep_forever).reason == "of the nursery");
      });
      nursery.cancel_scope().cancel("of the nursery");
    });
  });
}

TEST_CASE("a system task is told that the run is ending") {
  run([] {
    trio::lowlevel::spawn_system_task("listener", [] {
      CHECK(reason_of(trio::sleep_forever).source == trio::CancelSource::shutdown);
    });
    checkpoint();
  });
}

TEST_CASE("a cancellation may be given any reason") {
  run([] {
    trio::CancelScope scope;
    within(scope, [&] {
      scope.cancel(trio::CancelReason{trio::CancelSource::remote, "far", "away"});
      auto const reason = reason_of(checkpoint);
      CHECK(reason.source == trio::CancelSource::remote);
      CHECK(reason.source_task == "far");
      CHECK(reason.reason == "away");
    });
  });
}

TEST_CASE("the first of several reasons stays [C:157]") {
  run([] {
    trio::CancelScope scope;
    within(scope, [&] {
      scope.cancel("first");
      scope.cancel("second");
      scope.set_deadline(trio::expired);
      CHECK(reason_of(checkpoint).reason == "first");
      CHECK(reason_of(checkpoint).source == trio::CancelSource::call);
    });
    CHECK(scope.cause().reason == "first");
  });
}

TEST_CASE("a scope's own reason is not replaced by a later one from outside [C:173]") {
  run([] {
    trio::CancelScope outer;
    trio::CancelScope inner;
    within(outer, [&] {
      within(inner, [&] {
        inner.cancel("inner");
        outer.cancel("outer");
        CHECK(reason_of(checkpoint).reason == "inner");
      });
      CHECK(reason_of(checkpoint).reason == "outer");
    });
  });
}

TEST_CASE("a reason from outside is not replaced by a later one of the scope [C:183]") {
  run([] {
    trio::CancelScope outer;
    trio::CancelScope inner;
    within(outer, [&] {
      within(inner, [&] {
        outer.cancel("outer");
        inner.cancel("inner");
        CHECK(reason_of(checkpoint).reason == "outer");
      });
    });
  });
}

TEST_CASE("scopes opened inside a cancelled one, and tasks, are told its reason [C:173]") {
  run([] {
    trio::CancelScope outer;
    within(outer, [&] {
      outer.cancel("outer");
      trio::CancelScope inner;
      within(inner, [&] { CHECK(reason_of(checkpoint).reason == "outer"); });
      CHECK(inner.cause().reason == "outer");
      trio::open_nursery([](trio::Nursery& nursery) {
        nursery.start_soon([] { CHECK(reason_of(checkpoint).reason == "outer"); });
      });
    });
  });
}

TEST_CASE("a reason that a shield has kept out is forgotten") {
  run([] {
    trio::CancelScope outer;
    trio::CancelScope inner;
    within(outer, [&] {
      within(inner, [&] {
        outer.cancel("outer");
        inner.set_shield(true);
        inner.cancel("inner");
        CHECK(reason_of(checkpoint).reason == "inner");
      });
    });
  });
}

TEST_CASE("a reason can be described in a line") {
  using trio::CancelReason;
  using trio::CancelSource;
  CHECK(trio::describe(CancelReason{CancelSource::call, "main", "enough"}) ==
        "cancel() was called (task 'main'): enough");
  CHECK(trio::describe(CancelReason{CancelSource::deadline, {}, {}}) == "the deadline passed");
  CHECK(trio::describe(CancelReason{CancelSource::shutdown, {}, {}}) == "the run is ending");
  run([] {
    trio::CancelScope scope;
    within(scope, [&] {
      scope.cancel("enough");
      CHECK(trio::describe(thrown_by(checkpoint)).find("enough") != std::string::npos);
    });
  });
}

TEST_CASE("a scope describes its state, its cause and its deadline [R:357]") {
  trio::CancelScope unused;
  CHECK(trio::describe(unused) == "a cancel scope, not entered");
  CHECK(trio::describe(trio::CancelScope::after(1500ms)) ==
        "a cancel scope, not entered, deadline is 1.50 seconds after its entry");
  trio::CancelScope timed(trio::Time(10s));
  // Outside of a run there is no now.
  CHECK(trio::describe(timed) == "a cancel scope, not entered");
  run([&](trio::testing::MockClock& clock) {
    CHECK(trio::describe(timed) ==
          "a cancel scope, not entered, deadline is 10.00 seconds from now");
    within(timed, [&] {
      clock.jump(500ms);
      CHECK(trio::describe(timed) == "a cancel scope, active, deadline is 9.50 seconds from now");
      clock.jump(10s);
      CHECK(trio::describe(timed) == "a cancel scope, active, deadline is 0.50 seconds ago");
      CHECK_THROWS_AS(trio::lowlevel::checkpoint(), trio::Cancelled);
      CHECK(trio::describe(timed) == "a cancel scope, active, cancelled: the deadline passed");
    });
    CHECK(trio::describe(timed) == "a cancel scope, exited, cancelled: the deadline passed");
    within(unused, [&] { CHECK(trio::describe(unused) == "a cancel scope, active"); });
    CHECK(trio::describe(unused) == "a cancel scope, exited");
    unused.cancel("too late");
    CHECK(trio::describe(unused).find("a cancel scope, exited, cancelled: cancel() was called") ==
          0);
  });
}
