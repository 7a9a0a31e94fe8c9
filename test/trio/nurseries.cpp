// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using namespace support;
using trio::lowlevel::checkpoint;
using trio::testing::wait_all_tasks_blocked;

// A nursery is made by open_nursery only, and stays where it is.
static_assert(!std::is_default_constructible_v<trio::Nursery>);
static_assert(!std::is_copy_constructible_v<trio::Nursery>);
static_assert(!std::is_move_constructible_v<trio::Nursery>);

namespace {

// What a nursery with this body throws, in a run of its own.
template <class Body> std::exception_ptr nursery_throws(Body const& body) {
  return thrown_by([&] { run([&] { trio::open_nursery(body); }); });
}

void crash() { throw KeyError(); }

// Notes its own end.
class Noting {
 public:
  Noting(Log& log, std::string what) : log_(log), what_(std::move(what)) {}

  Noting(Noting const&) = delete;
  Noting& operator=(Noting const&) = delete;

  ~Noting() { log_.push_back(what_); }

 private:
  Log& log_;
  std::string what_;
};

}  // namespace

TEST_CASE("a nursery waits for its tasks") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      nursery.start_soon([] { trio::sleep(3s); });
      nursery.start_soon([] { trio::sleep(2s); });
    });
    CHECK(trio::current_time() == trio::after(trio::Time(), 3s));
  });
}

TEST_CASE("a nursery hands on what its body returns") {
  run([] {
    auto const value = trio::open_nursery([](trio::Nursery& nursery) {
      nursery.start_soon([] { trio::sleep(1s); });
      return std::make_unique<int>(7);
    });
    CHECK(*value == 7);
  });
}

TEST_CASE("a nursery whose own scope cut the body short says that there is no value") {
  run([] {
    auto const cut_short = [](trio::Nursery& nursery) {
      nursery.cancel_scope().cancel();
      checkpoint();
      return 7;
    };
    CHECK_THROWS_AS(static_cast<void>(trio::open_nursery(cut_short)), trio::MisuseError);
    CHECK(trio::open_nursery([&](trio::Nursery& nursery) {
            return std::optional(cut_short(nursery));
          }) == std::nullopt);
  });
}

TEST_CASE("a nursery cancelled after its body returned still hands on the value") {
  run([] {
    CHECK(trio::open_nursery([](trio::Nursery& nursery) {
            nursery.start_soon(trio::sleep_forever);
            nursery.start_soon([&] { nursery.cancel_scope().cancel(); });
            return 7;
          }) == 7);
  });
}

TEST_CASE("a task runs at the next pass, not when it is started") {
  run([] {
    Log log;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { log.push_back("task"); });
      log.push_back("body");
    });
    CHECK(log == Log{"body", "task"});
  });
}

TEST_CASE("functions and arguments are copied into the task, references travel as std::ref") {
  run([] {
    int shared = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      std::string gone = "copied";
      nursery.start_soon(
          [](std::string const& text, std::unique_ptr<int> owned, int& counter) {
            CHECK(text == "copied");
            counter += *owned;
          },
          gone, std::make_unique<int>(7), std::ref(shared));
      gone = "overwritten";
    });
    CHECK(shared == 7);
  });
}

TEST_CASE("an error of the body comes out in a group, as the object it is [R:132]") {
  auto const thrown = std::make_exception_ptr(ValueError());
  auto const error = nursery_throws([&](trio::Nursery&) { std::rethrow_exception(thrown); });
  REQUIRE(matches(error, group(of<ValueError>())));
  CHECK(trio::exception_cast<trio::ExceptionGroup>(error)->exceptions()[0] == thrown);
}

TEST_CASE("a single failed task still makes a group, of the object it threw [R:140]") {
  auto const thrown = std::make_exception_ptr(KeyError());
  auto const error = nursery_throws(
      [&](trio::Nursery& nursery) { nursery.start_soon([&] { std::rethrow_exception(thrown); }); });
  REQUIRE(matches(error, group(of<KeyError>())));
  CHECK(trio::exception_cast<trio::ExceptionGroup>(error)->exceptions()[0] == thrown);
}

TEST_CASE("a failed task cancels its siblings, and only its error comes out of run() [R:169]") {
  Log log;
  auto const error = nursery_throws([&](trio::Nursery& nursery) {
    nursery.start_soon([&] {
      CHECK_THROWS_AS(
          [] {
            while (true) checkpoint();
          }(),
          trio::Cancelled);
      log.push_back("looper cancelled");
      checkpoint();
    });
    nursery.start_soon(crash);
  });
  CHECK(matches(error, group(of<KeyError>())));
  CHECK(log == Log{"looper cancelled"});
}

TEST_CASE("errors of the body and of a task are both in the group [R:194]") {
  auto const error = nursery_throws([](trio::Nursery& nursery) {
    nursery.start_soon(crash);
    throw ValueError();
  });
  CHECK(matches(error, group(of<KeyError>(), of<ValueError>())));
}

TEST_CASE("two tasks that fail in one pass are both in the group [R:209]") {
  auto const error = nursery_throws([](trio::Nursery& nursery) {
    nursery.start_soon(crash);
    nursery.start_soon([] { throw ValueError(); });
  });
  CHECK(matches(error, group(of<KeyError>(), of<ValueError>())));
}

TEST_CASE("a failed task interrupts the parked body at once [R:222]") {
  Log log;
  auto const error = nursery_throws([&](trio::Nursery& nursery) {
    nursery.start_soon(crash);
    try {
      trio::sleep_forever();
    } catch (trio::Cancelled const&) {
      log.push_back("body cancelled");
      throw;
    }
  });
  CHECK(matches(error, group(of<KeyError>())));
  CHECK(log == Log{"body cancelled"});
}

TEST_CASE("no error is lost, however many there are") {
  auto const error = nursery_throws([](trio::Nursery& nursery) {
    for (int i = 0; i < 100; ++i)
      nursery.start_soon([i] {
        try {
          trio::sleep_forever();
        } catch (trio::Cancelled const&) {
          throw KeyError(std::to_string(i));
        }
      });
    wait_all_tasks_blocked();
    throw ValueError();
  });
  auto const* all = trio::exception_cast<trio::ExceptionGroup>(error);
  REQUIRE(all);
  CHECK(all->exceptions().size() == 101);
  CHECK(all->find<ValueError>());
}

TEST_CASE("errors stand in the order in which tasks ended, a failed body where it failed") {
  auto const error = nursery_throws([](trio::Nursery& nursery) {
    nursery.start_soon([] {
      trio::sleep(1s);
      throw KeyError("first");
    });
    trio::shielded([] { trio::sleep(2s); });
    throw KeyError("second");
  });
  auto const* all = trio::exception_cast<trio::ExceptionGroup>(error);
  REQUIRE(all);
  REQUIRE(all->exceptions().size() == 2);
  CHECK(matches(all->exceptions()[0], of<KeyError>("first")));
  CHECK(matches(all->exceptions()[1], of<KeyError>("second")));
}

TEST_CASE("a nursery that is cancelled ends quietly, body and tasks") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      for (int i = 0; i < 3; ++i) nursery.start_soon(trio::sleep_forever);
      wait_all_tasks_blocked();
      nursery.cancel_scope().cancel();
      checkpoint();
    });
  });
}

TEST_CASE("a task may cancel its nursery after the body has ended") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      nursery.start_soon(trio::sleep_forever);
      nursery.start_soon([&] {
        trio::sleep(1s);
        nursery.cancel_scope().cancel();
      });
    });
    CHECK(trio::current_time() == trio::after(trio::Time(), 1s));
  });
}

TEST_CASE("a nursery's scope can have a deadline") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      nursery.cancel_scope().set_deadline(trio::after(trio::current_time(), 4s));
      nursery.start_soon(trio::sleep_forever);
    });
    CHECK(trio::current_time() == trio::after(trio::Time(), 4s));
  });
}

TEST_CASE("the end of a nursery is never itself a source of Cancelled [R:1922]") {
  run([] {
    trio::CancelScope scope;
    bool reached = false;
    within(scope, [&] {
      scope.cancel();
      trio::open_nursery([](trio::Nursery&) {});
      trio::open_nursery([](trio::Nursery& nursery) { nursery.start_soon([] {}); });
      reached = true;
    });
    CHECK(reached);
    CHECK_FALSE(scope.cancelled_caught());
  });
}

TEST_CASE("a nursery that waits at its end for a task waits on when it is cancelled") {
  run([] {
    trio::CancelScope scope;
    Log log;
    trio::open_nursery([&](trio::Nursery& outer) {
      outer.start_soon([&] {
        within(scope, [&] {
          trio::open_nursery([&](trio::Nursery& nursery) {
            nursery.start_soon([&] {
              trio::shielded([] { trio::sleep(5s); });
              log.push_back("task");
            });
          });
          log.push_back("end");
        });
      });
      wait_all_tasks_blocked();
      scope.cancel();
    });
    CHECK(log == Log{"task", "end"});
    CHECK_FALSE(scope.cancelled_caught());
  });
}

TEST_CASE("cancelled from outside, a nursery throws a group of every Cancelled in it") {
  run([] {
    trio::CancelScope outer;
    std::exception_ptr error;
    within(outer, [&] {
      error = thrown_by([&] {
        trio::open_nursery([&](trio::Nursery& nursery) {
          nursery.start_soon(trio::sleep_forever);
          nursery.start_soon(trio::sleep_forever);
          wait_all_tasks_blocked();
          outer.cancel();
        });
      });
      std::rethrow_exception(error);
    });
    CHECK(matches(error, group(of<trio::Cancelled>(), of<trio::Cancelled>())));
    CHECK(outer.cancelled_caught());
  });
}

TEST_CASE("a handler for std::exception lets a group with a Cancelled pass") {
  run([] {
    trio::CancelScope outer;
    bool handled = false;
    auto const error = thrown_by([&] {
      within(outer, [&] {
        try {
          trio::open_nursery([&](trio::Nursery& nursery) {
            nursery.start_soon(trio::sleep_forever);
            wait_all_tasks_blocked();
            outer.cancel();
            throw KeyError();
          });
        } catch (std::exception const&) {
          handled = true;
        }
      });
    });
    CHECK_FALSE(handled);
    CHECK(matches(error, group(of<KeyError>())));
  });
}

TEST_CASE("a task of a cancelled nursery starts, and dies at its first checkpoint [R:496]") {
  run([] {
    Log log;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.cancel_scope().cancel();
      nursery.start_soon([&] {
        log.push_back("started");
        checkpoint();
        log.push_back("survived");
      });
    });
    CHECK(log == Log{"started"});
  });
}

TEST_CASE("a task may start others while the nursery waits for it at its end [R:1785]") {
  run([] {
    Log log;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        trio::sleep(1s);
        nursery.start_soon([&] {
          trio::sleep(1s);
          log.push_back("grandchild");
        });
      });
    });
    CHECK(log == Log{"grandchild"});
    CHECK(trio::current_time() == trio::after(trio::Time(), 2s));
  });
}

TEST_CASE("a task of another nursery may start tasks in it") {
  run([] {
    Log log;
    trio::open_nursery([&](trio::Nursery& outer) {
      trio::open_nursery([&](trio::Nursery& inner) {
        outer.start_soon([&] { inner.start_soon([&] { log.push_back("in inner"); }); });
        trio::sleep(1s);
        CHECK(log == Log{"in inner"});
      });
    });
  });
}

TEST_CASE("a nursery that has closed takes no more tasks [R:1785]") {
  run([] {
    bool refused = false;
    trio::Event last_moment;
    trio::open_nursery([&](trio::Nursery& outer) {
      trio::open_nursery([&](trio::Nursery& inner) {
        inner.start_soon([&] { last_moment.wait(); });
        outer.start_soon([&] {
          wait_all_tasks_blocked();
          // Its only task ends now; before its end is through, we come by once more.
          last_moment.set();
          trio::lowlevel::cancel_shielded_checkpoint();
          refused =
              trio::exception_cast<trio::MisuseError>(thrown_by([&] { inner.start_soon([] {}); }));
        });
      });
    });
    CHECK(refused);
  });
}

TEST_CASE("locals of a cancelled task are destroyed before the nursery ends [R:2725]") {
  run([] {
    Log log;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon(
          [&log](std::unique_ptr<Noting> const&) {
            Noting const local(log, "local");
            trio::sleep_forever();
          },
          std::make_unique<Noting>(log, "argument"));
      wait_all_tasks_blocked();
      nursery.cancel_scope().cancel();
    });
    log.push_back("nursery ended");
    CHECK(log == Log{"local", "argument", "nursery ended"});
  });
}

TEST_CASE("nested groups keep their shape when the Cancelled are taken out [R:2803]") {
  auto const error = nursery_throws([](trio::Nursery& outer) {
    outer.start_soon(trio::sleep_forever);
    outer.start_soon([] {
      trio::open_nursery([](trio::Nursery& inner) {
        inner.start_soon(trio::sleep_forever);
        inner.start_soon([] {
          try {
            trio::sleep_forever();
          } catch (trio::Cancelled const&) {
            throw ValueError();
          }
        });
      });
    });
    wait_all_tasks_blocked();
    throw KeyError();
  });
  CHECK(matches(error, group(of<KeyError>(), group(of<ValueError>()))));
}

TEST_CASE("join() waits inside the body, so that its locals outlive the tasks") {
  run([] {
    Log log;
    trio::open_nursery([&](trio::Nursery& nursery) {
      Noting const local(log, "local");
      nursery.start_soon([&] {
        trio::sleep(1s);
        log.push_back("task");
      });
      nursery.join();
      CHECK(nursery.child_task_count() == 0);
    });
    CHECK(log == Log{"task", "local"});
  });
}

TEST_CASE("join() can be called again after more tasks were started") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      for (int round = 1; round <= 2; ++round) {
        nursery.start_soon([] { trio::sleep(1s); });
        nursery.join();
        CHECK(trio::current_time() == trio::after(trio::Time(), std::chrono::seconds(round)));
      }
    });
  });
}

TEST_CASE("join() waits for tasks that tasks have started meanwhile") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      nursery.start_soon([&] { nursery.start_soon([] { trio::sleep(1s); }); });
      nursery.join();
      CHECK(trio::current_time() == trio::after(trio::Time(), 1s));
    });
  });
}

TEST_CASE("join() is a checkpoint with tasks and without") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      trio::testing::assert_checkpoints([&] { nursery.join(); });
      nursery.start_soon([] {});
      trio::testing::assert_checkpoints([&] { nursery.join(); });
      nursery.cancel_scope().cancel();
      CHECK_THROWS_AS(nursery.join(), trio::Cancelled);
    });
  });
}

TEST_CASE("join() is cut short by a failed task") {
  auto const error = nursery_throws([](trio::Nursery& nursery) {
    nursery.start_soon(crash);
    nursery.start_soon(trio::sleep_forever);
    CHECK_THROWS_AS(nursery.join(), trio::Cancelled);
  });
  CHECK(matches(error, group(of<KeyError>())));
}

TEST_CASE("join() is refused to a task of the nursery, which would wait for itself") {
  run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      nursery.start_soon([&] { CHECK_THROWS_AS(nursery.join(), trio::MisuseError); });
    });
  });
}

TEST_CASE("thousands of tasks start, run and end") {
  run([] {
    int ended = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int i = 0; i < 3000; ++i)
        nursery.start_soon([&] {
          trio::sleep(1s);
          ++ended;
        });
    });
    CHECK(ended == 3000);
    CHECK(trio::current_time() == trio::after(trio::Time(), 1s));
  });
}

TEST_CASE("the stack of a task that has ended is used again") {
  run([] {
    for (int i = 0; i < 100; ++i)
      trio::open_nursery([](trio::Nursery& nursery) { nursery.start_soon([] {}); });
    CHECK(trio::lowlevel::current_statistics().stacks < 10);
  });
}

TEST_CASE("a nursery can be opened in a handler and its tasks throw as ever") {
  run([] {
    try {
      throw ValueError("outer");
    } catch (ValueError const& outer) {
      auto const error = thrown_by(
          [] { trio::open_nursery([](trio::Nursery& nursery) { nursery.start_soon(crash); }); });
      CHECK(matches(error, group(of<KeyError>())));
      CHECK(std::string(outer.what()) == "outer");
      CHECK(matches(std::current_exception(), of<ValueError>("outer")));
    }
  });
}

TEST_CASE("a function may use the nursery that it is given, or one of its own") {
  run([] {
    bool done = false;
    auto const work = [&](trio::Nursery* nursery) {
      done = false;
      return trio::maybe_open_nursery(nursery, [&](trio::Nursery& used) {
        CHECK((!nursery || &used == nursery));
        used.start_soon([&] { done = true; });
        return 7;
      });
    };
    CHECK(work(nullptr) == 7);
    CHECK(done);
    trio::open_nursery([&](trio::Nursery& nursery) {
      trio::testing::assert_no_checkpoints([&] { CHECK(work(&nursery) == 7); });
      CHECK(!done);
    });
    CHECK(done);
    CHECK(matches(thrown_by([] {
                    trio::maybe_open_nursery(nullptr, [](trio::Nursery&) { throw KeyError(); });
                  }),
                  group(of<KeyError>())));
  });
}
