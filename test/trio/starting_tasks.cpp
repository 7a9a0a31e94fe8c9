// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>

using namespace support;
using trio::lowlevel::checkpoint;
using trio::testing::wait_all_tasks_blocked;

namespace {

using Seconds = std::chrono::seconds;

Seconds elapsed() {
  return std::chrono::duration_cast<Seconds>(trio::current_time() - trio::Time());
}

// Sleeps, reports how long, sleeps as long again.
void sleep_then_start(Seconds length, trio::TaskStatus<Seconds>& status) {
  trio::sleep(length);
  status.started(length);
  trio::sleep(length);
}

void sleep_and_be_ignored(trio::TaskStatus<int>& status = trio::task_status_ignored<int>) {
  status.started(1);
  status.started(2);
  trio::sleep(3s);
}

struct Server {
  std::string name;

  void serve(int port, trio::TaskStatus<std::string>& status) {
    status.started(name + ":" + std::to_string(port));
  }
};

// Opens a nursery, reports it, and keeps it open for ever.
void keep_nursery_open(trio::TaskStatus<trio::Nursery*>& status) {
  trio::open_nursery([&](trio::Nursery& nursery) {
    status.started(&nursery);
    trio::sleep_forever();
  });
}

// Has children that sleep, calls `meanwhile`, reports.
void start_with_sleeping_children(std::function<void()> const& meanwhile,
                                  trio::TaskStatus<void>& status) {
  trio::open_nursery([&](trio::Nursery& nursery) {
    nursery.start_soon(trio::sleep_forever);
    nursery.start_soon(trio::sleep_forever);
    wait_all_tasks_blocked();
    meanwhile();
    status.started();
  });
}

}  // namespace

TEST_CASE("start() waits for started() and the nursery for the rest [R:1961]") {
  for (Seconds const length : {1s, 2s}) {
    run([length] {
      trio::open_nursery([length](trio::Nursery& nursery) {
        CHECK(nursery.child_task_count() == 0);
        CHECK(nursery.start(sleep_then_start, length) == length);
        CHECK(elapsed() == length);
        CHECK(nursery.child_task_count() == 1);
      });
      CHECK(elapsed() == 2 * length);
    });
  }
}

TEST_CASE("start() is a checkpoint") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      trio::testing::assert_checkpoints(
          [&] { nursery.start([](trio::TaskStatus<void>& status) { status.started(); }); });
    });
  });
}

TEST_CASE("an ignored status lets the function be called directly [R:1961]") {
  run([] {
    sleep_and_be_ignored();
    CHECK(elapsed() == 3s);
    trio::open_nursery(
        [](trio::Nursery& nursery) { nursery.start_soon([] { sleep_and_be_ignored(); }); });
    CHECK(elapsed() == 6s);
  });
}

TEST_CASE("an ignored status keeps nothing of what it is told") {
  auto const value = std::make_shared<int>(7);
  run([&] { trio::task_status_ignored<std::shared_ptr<int>>.started(value); });
  CHECK(value.use_count() == 1);
}

TEST_CASE("start() takes member functions, generic lambdas, and values that only move") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      CHECK(nursery.start(&Server::serve, Server{"host"}, 80) == "host:80");
      CHECK(nursery.start<int>([](auto& status) { status.started(7); }) == 7);
      CHECK(*nursery.start([](trio::TaskStatus<std::unique_ptr<int>>& status) {
        status.started(std::make_unique<int>(7));
      }) == 7);
      CHECK(nursery.start({.name = "named"}, [](trio::TaskStatus<std::string>& status) {
        status.started(trio::lowlevel::current_task().name());
      }) == "named");
    });
  });
}

TEST_CASE("started() twice is refused [R:1961]") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      nursery.start([](trio::TaskStatus<void>& status) {
        status.started();
        CHECK_THROWS_AS(status.started(), trio::MisuseError);
        checkpoint();
        CHECK_THROWS_AS(status.started(), trio::MisuseError);
      });
    });
  });
}

TEST_CASE("a second started() does not touch the first value") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      CHECK(nursery.start([](trio::TaskStatus<int>& status) {
        status.started(1);
        CHECK_THROWS_AS(status.started(2), trio::MisuseError);
      }) == 1);
    });
  });
}

TEST_CASE("what a task throws before started() comes out of start() as it is [R:1961]") {
  run([] {
    auto const thrown = std::make_exception_ptr(KeyError("oops"));
    trio::open_nursery([&](trio::Nursery& nursery) {
      auto const error = thrown_by(
          [&] { nursery.start([&](trio::TaskStatus<void>&) { std::rethrow_exception(thrown); }); });
      CHECK(error == thrown);
      CHECK_NOTHROW(checkpoint());
    });
  });
}

TEST_CASE("a group that a task itself throws before started() stays a group [R:2848]") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      auto const error = thrown_by([&] {
        nursery.start([](trio::TaskStatus<void>&) {
          trio::open_nursery([](trio::Nursery& own) { own.start_soon([] { throw KeyError(); }); });
        });
      });
      CHECK(matches(error, group(of<KeyError>())));
    });
  });
}

TEST_CASE("a task that ends without started() is an error of start() [R:1961]") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      CHECK_THROWS_AS(nursery.start([](trio::TaskStatus<int>&) {}), trio::MisuseError);
    });
  });
}

TEST_CASE("a task that ends without started() because start() was cancelled is no error") {
  run([] {
    trio::CancelScope scope;
    scope.cancel("not needed any more");
    trio::open_nursery([&](trio::Nursery& nursery) {
      within(scope, [&] {
        // It goes when it is told to, and says nothing.
        nursery.start([](trio::TaskStatus<int>&) {
          CHECK_THROWS_AS(trio::sleep_forever(), trio::Cancelled);
        });
        FAIL("it has started");
      });
    });
    CHECK(scope.cancelled_caught());
  });
}

TEST_CASE("what a task throws after started() comes out of the nursery") {
  run([] {
    bool started = false;
    auto const error = thrown_by([&] {
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start([](trio::TaskStatus<void>& status) {
          status.started();
          throw KeyError();
        });
        started = true;
      });
    });
    CHECK(started);
    CHECK(matches(error, group(of<KeyError>())));
  });
}

TEST_CASE("before started() the scopes of the caller apply") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      auto const outcome = trio::move_on_after(
          2s, [&] { nursery.start([](trio::TaskStatus<void>&) { trio::sleep_forever(); }); });
      CHECK(outcome.cut_short);
      CHECK(elapsed() == 2s);
      CHECK(nursery.child_task_count() == 0);
    });
  });
}

TEST_CASE("before started() a failure elsewhere in the nursery does not reach the task") {
  run([] {
    bool reached = false;
    auto const error = thrown_by([&] {
      trio::open_nursery([&](trio::Nursery& target) {
        trio::open_nursery([&](trio::Nursery& callers) {
          callers.cancel_scope().set_shield(true);
          callers.start_soon([&] {
            target.start([&](trio::TaskStatus<void>& status) {
              trio::sleep(5s);
              reached = true;
              status.started();
              trio::sleep_forever();
            });
          });
          target.start_soon([] { throw KeyError(); });
        });
      });
    });
    CHECK(reached);
    CHECK(elapsed() == 5s);
    CHECK(matches(error, group(of<KeyError>())));
  });
}

TEST_CASE("started() in a start() that was cancelled does nothing; Cancelled comes out [R:1961]") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      trio::CancelScope scope;
      within(scope, [&] {
        scope.cancel();
        auto const error = thrown_by([&] {
          nursery.start([](trio::TaskStatus<std::string>& status) {
            status.started("hi");
            checkpoint();
          });
        });
        CHECK(matches(error, of<trio::Cancelled>()));
      });
    });
  });
}

TEST_CASE("a task that meets no checkpoint starts in spite of a cancelled start() [R:1961]") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      trio::CancelScope scope;
      int value = 0;
      within(scope, [&] {
        scope.cancel();
        value = nursery.start([](trio::TaskStatus<int>& status) { status.started(7); });
      });
      CHECK(value == 7);
      CHECK_FALSE(scope.cancelled_caught());
    });
  });
}

TEST_CASE("in a cancelled start() an error after started() comes out of start() [R:1961]") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      trio::CancelScope scope;
      within(scope, [&] {
        scope.cancel();
        CHECK_THROWS_AS(nursery.start([](trio::TaskStatus<void>& status) {
          status.started();
          throw KeyError();
        }),
                        KeyError);
      });
      CHECK_FALSE(scope.cancelled_caught());
    });
  });
}

TEST_CASE("start() on a closed nursery is refused at once [R:1961]") {
  run([] {
    std::exception_ptr error;
    bool ran = false;
    trio::Event last_moment;
    trio::open_nursery([&](trio::Nursery& outer) {
      trio::open_nursery([&](trio::Nursery& inner) {
        inner.start_soon([&] { last_moment.wait(); });
        outer.start_soon([&] {
          wait_all_tasks_blocked();
          last_moment.set();
          trio::lowlevel::cancel_shielded_checkpoint();
          error = thrown_by([&] { inner.start([&](trio::TaskStatus<void>&) { ran = true; }); });
        });
      });
    });
    CHECK(matches(error, of<trio::MisuseError>()));
    CHECK_FALSE(ran);
  });
}

TEST_CASE("sleeping children that started() moves into a cancelled nursery are woken [R:2102]") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      trio::Nursery* target = nursery.start(keep_nursery_open);
      target->start(start_with_sleeping_children, [target] { target->cancel_scope().cancel(); });
    });
  });
}

TEST_CASE("children that started() has moved are cancelled with their new nursery [R:2102]") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      trio::Nursery* target = nursery.start(keep_nursery_open);
      target->start(start_with_sleeping_children, [] {});
      target->cancel_scope().cancel();
    });
  });
}

TEST_CASE("who is moved into a cancelled nursery may cancel the others while they are moved") {
  for (bool other_way : {false, true}) {
    CAPTURE(other_way);
    run([&] {
      std::array<int, 3> aborted{};
      int gone = 0;
      trio::CancelScope callers;
      trio::CancelScope first;
      trio::CancelScope second;
      // Parks in `own`, and cancels `other` when it is cancelled itself.
      auto const park = [&](trio::CancelScope& own, trio::CancelScope& other, int& count) {
        support::AtEnd const end{[&] { ++gone; }};
        within(own, [&] {
          trio::lowlevel::wait_task_rescheduled([&](trio::lowlevel::RaiseCancel const&) {
            ++count;
            other.cancel();
            return trio::lowlevel::Abort::succeeded;
          });
        });
      };
      bool returned = false;
      trio::open_nursery([&](trio::Nursery& nursery) {
        trio::Nursery* target = nursery.start(keep_nursery_open);
        within(callers, [&] {
          target->start([&](trio::TaskStatus<void>& status) {
            trio::open_nursery([&](trio::Nursery& own) {
              auto const start_first = [&] {
                own.start_soon([&] { park(first, second, aborted[0]); });
              };
              if (!other_way) start_first();
              own.start_soon([&] { park(second, first, aborted[1]); });
              if (other_way) start_first();
              own.start_soon([&] {
                wait_all_tasks_blocked();
                target->cancel_scope().cancel();
                status.started();
              });
              // The one that is moved itself.
              trio::CancelScope none;
              park(none, callers, aborted[2]);
            });
          });
          returned = true;
        });
      });
      CHECK(returned);
      CHECK(callers.cancel_called());
      CHECK_FALSE(callers.cancelled_caught());
      CHECK(aborted == std::array{1, 1, 1});
      CHECK(gone == 3);
    });
  }
}

TEST_CASE("the task itself, asleep at another's started(), is woken by a cancelled nursery") {
  run([] {
    Log log;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.cancel_scope().cancel();
      trio::shielded([&] {
        nursery.start([&](trio::TaskStatus<void>& status) {
          trio::open_nursery([&](trio::Nursery& own) {
            own.start_soon([&] {
              wait_all_tasks_blocked();
              status.started();
              log.push_back("started");
            });
            try {
              trio::sleep_forever();
            } catch (trio::Cancelled const&) {
              log.push_back("woken");
              throw;
            }
          });
        });
        log.push_back("start() returned");
      });
    });
    CHECK(log.size() == 3);
    CHECK(log[0] == "started");
  });
}

TEST_CASE("a start() under way keeps the nursery open [R:2146]") {
  run([] {
    trio::open_nursery([](trio::Nursery& caller) {
      trio::open_nursery([&](trio::Nursery& target) {
        caller.start_soon([&] {
          target.start([](trio::TaskStatus<void>& status) {
            trio::sleep(2s);
            status.started();
            trio::sleep(3s);
          });
        });
        trio::sleep(1s);
      });
      CHECK(elapsed() == 5s);
    });
  });
}

TEST_CASE("a start() that fails lets the nursery end [R:2146]") {
  run([] {
    trio::open_nursery([](trio::Nursery& caller) {
      trio::open_nursery([&](trio::Nursery& target) {
        caller.start_soon([&] {
          CHECK_THROWS_AS(target.start([](trio::TaskStatus<void>&) {
            trio::sleep(7s);
            throw KeyError();
          }),
                          KeyError);
        });
        wait_all_tasks_blocked();
      });
      CHECK(elapsed() == 7s);
    });
  });
}

TEST_CASE("join() waits for a start() under way") {
  run([] {
    trio::open_nursery([](trio::Nursery& caller) {
      trio::open_nursery([&](trio::Nursery& target) {
        caller.start_soon([&] { target.start(sleep_then_start, 2s); });
        wait_all_tasks_blocked();
        target.join();
        CHECK(elapsed() == 4s);
      });
    });
  });
}

TEST_CASE("started() moves tasks that others have put under start() as well") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      nursery.start([](trio::TaskStatus<void>& status) {
        trio::lowlevel::current_task().parent_nursery()->start_soon([] { trio::sleep(2s); });
        status.started();
      });
      CHECK(elapsed() == 0s);
      CHECK(nursery.child_task_count() == 1);
    });
    CHECK(elapsed() == 2s);
  });
}

TEST_CASE("two errors under one start() are an internal error that tells both [R:2938]") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      auto const error = thrown_by([&] {
        nursery.start([](trio::TaskStatus<void>&) {
          trio::Nursery* own = trio::lowlevel::current_task().parent_nursery();
          own->start_soon([] { throw ValueError(); });
          own->start_soon([] { throw ValueError(); });
        });
      });
      auto const* internal = trio::exception_cast<trio::TrioInternalError>(error);
      REQUIRE(internal);
      CHECK(matches(internal->cause(), group(of<ValueError>(), of<ValueError>())));
    });
  });
}

TEST_CASE("start() may be called by several tasks at a time") {
  run([] {
    int sum = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      trio::open_nursery([&](trio::Nursery& callers) {
        for (int i = 1; i <= 10; ++i)
          callers.start_soon([&, i] {
            sum += nursery.start([i](trio::TaskStatus<int>& status) {
              trio::sleep(Seconds(i));
              status.started(i);
              trio::sleep_forever();
            });
          });
      });
      CHECK(sum == 55);
      CHECK(nursery.child_task_count() == 10);
      nursery.cancel_scope().cancel();
    });
  });
}
