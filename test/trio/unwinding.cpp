// SPDX-License-Identifier: BSL-1.0
// What a checkpoint does while a destructor runs because an exception unwinds the stack: a
// Cancelled thrown out of it would end the program.
#include "support.hpp"

#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using support::AtEnd;
using support::run;
using trio::lowlevel::checkpoint;

namespace {

struct Failure : std::runtime_error {
  Failure() : std::runtime_error("failure") {}
};

// Throws a Failure whose unwinding runs `action`, and catches it.
void in_unwinding(std::function<void()> action) {
  try {
    AtEnd const guard{std::move(action)};
    throw Failure();
  } catch (Failure const&) {}
}

trio::Duration elapsed_since(trio::Time start) { return trio::current_time() - start; }

}  // namespace

TEST_CASE("a destructor that unwinding runs is shielded from the scopes around it") {
  run([] {
    trio::CancelScope scope;
    bool finished = false;
    auto const outcome = scope.enter([&] {
      scope.cancel();
      in_unwinding([&] {
        auto const start = trio::current_time();
        checkpoint();
        trio::lowlevel::checkpoint_if_cancelled();
        trio::sleep(5s);
        trio::sleep_until(start);
        CHECK(elapsed_since(start) == 5s);
        finished = true;
      });
      CHECK(finished);
      // Out of the destructor, the cancellation is there as before.
      CHECK_THROWS_AS(checkpoint(), trio::Cancelled);
      checkpoint();
    });
    CHECK(outcome.cut_short);
  });
}

TEST_CASE("a destructor that a Cancelled runs may wait") {
  run([] {
    auto const start = trio::current_time();
    bool finished = false;
    auto const outcome = trio::move_on_after(1s, [&] {
      AtEnd const guard{[&] {
        trio::sleep(10s);
        finished = true;
      }};
      trio::sleep_forever();
    });
    CHECK(outcome.cut_short);
    CHECK(finished);
    CHECK(elapsed_since(start) == 11s);
  });
}

TEST_CASE("a cancellation that comes while such a destructor waits leaves it alone") {
  run([] {
    trio::CancelScope scope;
    bool finished = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        auto const outcome = scope.enter([&] {
          in_unwinding([&] {
            trio::sleep(5s);
            finished = true;
          });
          checkpoint();
        });
        CHECK(outcome.cut_short);
      });
      trio::sleep(1s);
      scope.cancel();
      trio::sleep(1s);
      CHECK(!finished);
      // Nor does turning a shield around it up and down.
      scope.set_shield(true);
      scope.set_shield(false);
      trio::sleep(1s);
      CHECK(!finished);
    });
    CHECK(finished);
  });
}

TEST_CASE("scopes entered in such a destructor work as ever") {
  run([] {
    auto const outcome = trio::move_on_after(1s, [] {
      AtEnd const guard{[] {
        auto const start = trio::current_time();
        auto const bounded = trio::move_on_after(2s, [] { trio::sleep_forever(); });
        CHECK(bounded.cut_short);
        CHECK(elapsed_since(start) == 2s);

        trio::CancelScope called;
        auto const cancelled = called.enter([&] {
          called.cancel();
          checkpoint();
        });
        CHECK(cancelled.cut_short);

        bool late = false;
        try {
          trio::fail_after(1s, [] { trio::sleep(1h); });
        } catch (trio::TooSlowError const&) {
          late = true;
        }
        CHECK(late);

        // Below an inner scope, the outer ones are still out of reach.
        auto const quiet = trio::move_on_after(1h, [] { trio::sleep(30min); });
        CHECK(!quiet.cut_short);
      }};
      trio::sleep_forever();
    });
    CHECK(outcome.cut_short);
  });
}

TEST_CASE("a scope open when the exception is thrown inside a destructor shields that one too") {
  // Unwinding in unwinding: each destructor is shielded from what lies outside it.
  run([] {
    std::vector<std::string> record;
    in_unwinding([&] {
      trio::CancelScope middle;
      auto const outcome = middle.enter([&] {
        middle.cancel();
        in_unwinding([&] {
          trio::sleep(1s);
          record.push_back("innermost waited");
          auto const inner = trio::move_on_after(1s, [] { trio::sleep_forever(); });
          if (inner.cut_short) record.push_back("innermost scope");
        });
        checkpoint();
        record.push_back("not reached");
      });
      if (outcome.cut_short) record.push_back("middle scope");
      trio::sleep(1s);
      record.push_back("outermost waited");
    });
    CHECK(record == std::vector<std::string>{"innermost waited", "innermost scope", "middle scope",
                                             "outermost waited"});
  });
}

TEST_CASE("a handler inside such a destructor is shielded as well") {
  run([] {
    trio::CancelScope scope;
    bool finished = false;
    static_cast<void>(scope.enter([&] {
      scope.cancel();
      in_unwinding([&] {
        try {
          throw Failure();
        } catch (Failure const&) {
          trio::sleep(1s);
          finished = true;
        }
      });
    }));
    CHECK(finished);
  });
}

TEST_CASE("a handler outside of unwinding is cancelled like any other code") {
  run([] {
    trio::CancelScope scope;
    auto const outcome = scope.enter([&] {
      scope.cancel();
      try {
        throw Failure();
      } catch (Failure const&) {
        checkpoint();
        FAIL("a Cancelled was due");
      }
    });
    CHECK(outcome.cut_short);
  });
}

TEST_CASE("the deadline that applies in such a destructor is its own scopes' only") {
  run([] {
    auto const outcome = trio::move_on_after(1s, [] {
      AtEnd const guard{[] {
        CHECK(trio::current_effective_deadline() == trio::never);
        auto const soon = trio::after(trio::current_time(), 5s);
        static_cast<void>(
            trio::move_on_at(soon, [&] { CHECK(trio::current_effective_deadline() == soon); }));
      }};
      CHECK(trio::current_effective_deadline() != trio::never);
      trio::sleep_forever();
    });
    CHECK(outcome.cut_short);
  });
}

TEST_CASE("a nursery opened in such a destructor runs its tasks to their end") {
  run([] {
    int finished = 0;
    auto const outcome = trio::move_on_after(1s, [&] {
      AtEnd const guard{[&] {
        trio::open_nursery([&](trio::Nursery& nursery) {
          auto const task = [&] {
            trio::sleep(3s);
            ++finished;
          };
          nursery.start_soon(task);
          nursery.start_soon(task);
          nursery.start([&](trio::TaskStatus<void>& status) {
            trio::sleep(1s);
            status.started();
            task();
          });
          trio::sleep(1s);
          nursery.join();
        });
        CHECK(finished == 3);
      }};
      trio::sleep_forever();
    });
    CHECK(outcome.cut_short);
    CHECK(finished == 3);
  });
}

TEST_CASE("a nursery opened in such a destructor can still be cancelled by its own scope") {
  run([] {
    bool ended = false;
    in_unwinding([&] {
      trio::open_nursery([](trio::Nursery& nursery) {
        nursery.start_soon(trio::sleep_forever);
        trio::sleep(1s);
        nursery.cancel_scope().cancel();
        trio::sleep_forever();
      });
      ended = true;
    });
    CHECK(ended);
  });
}

TEST_CASE("channels, locks and events work in such a destructor though the task is cancelled") {
  run([] {
    auto [sender, receiver] = trio::open_memory_channel<int>(0);
    trio::Lock lock;
    trio::Event event;
    std::vector<int> received;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        trio::move_on_after(1s, [&] {
          AtEnd const guard{[&] {
            auto const held = lock.guard();
            sender.send(1);
            event.wait();
            sender.send(2);
            sender.close();
          }};
          trio::sleep_forever();
        });
      });
      nursery.start_soon([&] {
        auto const held = lock.guard();
        trio::sleep(5s);
      });
      trio::sleep(10s);
      received.push_back(receiver.receive());
      event.set();
      for (int value : receiver) received.push_back(value);
    });
    CHECK(received == std::vector{1, 2});
    CHECK(!lock.locked());
  });
}

TEST_CASE("a destructor is shielded in a child whose nursery fails") {
  run([] {
    bool cleaned = false;
    try {
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([&] {
          AtEnd const guard{[&] {
            trio::sleep(1s);
            cleaned = true;
          }};
          trio::sleep_forever();
        });
        checkpoint();
        throw Failure();
      });
    } catch (trio::ExceptionGroup const& group) {
      CHECK(group.exceptions().size() == 1);
      CHECK(group.find<Failure>());
      CHECK(cleaned);
    }
  });
}

TEST_CASE("destructors of a task's arguments run on its stack and may wait") {
  run([] {
    bool cleaned = false;
    auto const start = trio::current_time();
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([](std::shared_ptr<AtEnd> const&) { checkpoint(); },
                         std::make_shared<AtEnd>(AtEnd{[&] {
                           trio::shielded([] { trio::sleep(3s); });
                           cleaned = true;
                         }}));
      checkpoint();
      nursery.cancel_scope().cancel();
    });
    CHECK(cleaned);
    CHECK(elapsed_since(start) == 3s);
  });
}

TEST_CASE("a Cancelled that is swallowed is thrown again by the next checkpoint [R:441]") {
  run([] {
    trio::CancelScope scope;
    int swallowed = 0;
    auto const outcome = scope.enter([&] {
      scope.cancel("enough");
      for (int i = 0; i < 3; ++i) {
        try {
          trio::sleep_forever();
        } catch (...) {
          ++swallowed;
        }
      }
      try {
        checkpoint();
      } catch (trio::Cancelled const& cancelled) {
        CHECK(cancelled.reason().source == trio::CancelSource::call);
        CHECK(cancelled.reason().reason == "enough");
        throw;
      }
    });
    CHECK(swallowed == 3);
    CHECK(outcome.cut_short);
    CHECK(scope.cancelled_caught());
  });
}

TEST_CASE("a Cancelled swallowed for good leaves the scope cancelled but not cut short [o05]") {
  run([] {
    trio::CancelScope scope;
    auto const outcome = scope.enter([&] {
      scope.cancel();
      CHECK_THROWS_AS(checkpoint(), trio::Cancelled);
      return 5;
    });
    CHECK(outcome.value == 5);
    CHECK(!outcome.cut_short);
    CHECK(scope.cancel_called());
    CHECK(!scope.cancelled_caught());
  });
}

TEST_CASE("a task that swallows every Cancelled delays the end, but ends") {
  run([] {
    int swallowed = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        while (swallowed < 1000) {
          try {
            checkpoint();
          } catch (...) {
            ++swallowed;
          }
        }
      });
      nursery.cancel_scope().cancel();
    });
    CHECK(swallowed == 1000);
  });
}

TEST_CASE("no task is left when run returns, however the main task ended") {
  int born = 0;
  int gone = 0;

  struct Count {
    explicit Count(int& born, int& counter) : gone(counter) { ++born; }

    ~Count() {
      checkpoint();
      ++gone;
    }

    int& gone;
  };

  auto const crowd = [&](trio::Nursery& nursery, std::function<void()> end) {
    for (int i = 0; i < 5; ++i)
      nursery.start_soon([&, i] {
        auto const count = std::make_unique<Count>(born, gone);
        trio::open_nursery([&](trio::Nursery& inner) {
          inner.start_soon([&] {
            Count const one_more(born, gone);
            trio::sleep_forever();
          });
          trio::sleep(i * 1s);
          trio::sleep_forever();
        });
      });
    trio::sleep(2s);
    end();
  };
  auto const run_to = [&](std::function<void()> end) {
    run([&] {
      trio::open_nursery([&](trio::Nursery& nursery) {
        crowd(nursery, [&] {
          end();
          nursery.cancel_scope().cancel();
        });
      });
    });
  };
  SUBCASE("well") {
    run_to([] {});
    CHECK(gone == 10);
  }
  SUBCASE("with an error") {
    CHECK_THROWS_AS(run_to([] { throw Failure(); }), trio::ExceptionGroup);
    CHECK(gone == 10);
  }
  SUBCASE("with a foreign exception") {
    CHECK_THROWS_AS(run_to([] { throw 5; }), trio::BaseExceptionGroup);
    CHECK(gone == 10);
  }
  SUBCASE("while a system task lives") {
    run([&] {
      trio::lowlevel::spawn_system_task("system", [&] {
        Count const count(born, gone);
        trio::sleep_forever();
      });
      checkpoint();
    });
    CHECK(gone == 1);
  }
  CHECK(born == gone);
}

TEST_CASE("arguments and captures of a cancelled task may wait while they are destroyed") {
  run([] {
    int finished = 0;
    auto const start = trio::current_time();
    auto const waits = [&] {
      return std::shared_ptr<void>(nullptr, [&](void*) {
        trio::sleep(1s);
        checkpoint();
        // Bounded by scopes of its own, as in unwinding.
        if (trio::move_on_after(1s, trio::sleep_forever).cut_short) ++finished;
      });
    };
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&, captured = waits()] { trio::sleep_forever(); });
      nursery.start_soon([](std::shared_ptr<void> const&) { trio::sleep_forever(); }, waits());
      // Cancelled after its function has returned.
      nursery.start_soon([](std::shared_ptr<void> const&) {}, waits());
      trio::sleep(500ms);
      nursery.cancel_scope().cancel();
    });
    CHECK(finished == 3);
    CHECK(elapsed_since(start) == 2500ms);
  });
}

TEST_CASE("task-locals may wait while they are destroyed, in a cancelled task as well") {
  static trio::TaskLocal<int> const local;
  run([] {
    int finished = 0;
    auto const set = [&] {
      local.set(std::shared_ptr<int>(new int(0), [&](int* value) {
        delete value;
        trio::sleep(1s);
        ++finished;
      }));
    };
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon(set);
      nursery.start_soon([&] {
        set();
        nursery.cancel_scope().cancel();
        checkpoint();
      });
    });
    CHECK(finished == 2);
  });
}
