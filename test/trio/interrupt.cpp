// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace std::chrono_literals;
using support::AtEnd;
using support::group;
using support::matches;
using support::of;
using support::thrown_by;
using trio::lowlevel::Abort;
using trio::lowlevel::checkpoint;

namespace {

// SIGINT as a program finds it at its start, for a test: doctest has a handler of its own.
class Disposition {
 public:
  explicit Disposition(void (*handler)(int)) {
    struct sigaction action = {};
    action.sa_handler = handler;
    sigaction(SIGINT, &action, &before_);
  }

  Disposition(Disposition const&) = delete;
  Disposition& operator=(Disposition const&) = delete;

  ~Disposition() { sigaction(SIGINT, &before_, nullptr); }

 private:
  struct sigaction before_ = {};
};

bool sigint_is_default() {
  struct sigaction present = {};
  sigaction(SIGINT, nullptr, &present);
  return !(present.sa_flags & SA_SIGINFO) && present.sa_handler == SIG_DFL;
}

// A run in virtual time that minds SIGINT.
template <class F> void run(F&& fn, trio::Sigint policy = trio::Sigint::interrupts) {
  Disposition const as_at_start(SIG_DFL);
  trio::testing::MockClock clock = trio::testing::MockClock::autojumping();
  trio::RunOptions options;
  options.clock = &clock;
  options.sigint = policy;
  trio::run(options, std::forward<F>(fn));
}

}  // namespace

TEST_CASE("code goes on after SIGINT until its next checkpoint [K:272 10]") {
  std::vector<std::string> record;
  run([&] {
    raise(SIGINT);
    record.push_back("ok");
    CHECK_THROWS_AS(trio::sleep(10s), trio::Interrupted);
    record.push_back("interrupted");
    // Once.
    trio::sleep(10s);
    record.push_back("slept");
  });
  CHECK(record == std::vector<std::string>{"ok", "interrupted", "slept"});
}

TEST_CASE("a waiting SIGINT is raised by checkpoint_if_cancelled [K:272 5]") {
  run([] {
    raise(SIGINT);
    CHECK_THROWS_AS(trio::lowlevel::checkpoint_if_cancelled(), trio::Interrupted);
    trio::lowlevel::checkpoint_if_cancelled();
  });
}

TEST_CASE("shielded checkpoints do not raise a SIGINT, the next full one does [K:272 6]") {
  run([] {
    raise(SIGINT);
    for (int i = 0; i < 3; ++i) trio::lowlevel::cancel_shielded_checkpoint();
    CHECK_THROWS_AS(checkpoint(), trio::Interrupted);
  });
}

TEST_CASE("a wait that refuses to be aborted hands SIGINT to the next checkpoint [K:272 7]") {
  run([] {
    raise(SIGINT);
    trio::Task& task = trio::lowlevel::current_task();
    int aborted = 0;
    trio::lowlevel::wait_task_rescheduled([&](auto const& cause) {
      CHECK(cause.is_interrupt());
      ++aborted;
      trio::lowlevel::reschedule(task);
      return Abort::failed;
    });
    CHECK(aborted == 1);
    CHECK_THROWS_AS(checkpoint(), trio::Interrupted);
    checkpoint();
  });
}

TEST_CASE("an abort function may deliver SIGINT itself, later [K:272 8]") {
  SUBCASE("with the wait's own reschedule") {
    run([] {
      raise(SIGINT);
      trio::Task& task = trio::lowlevel::current_task();
      CHECK_THROWS_AS(trio::lowlevel::wait_task_rescheduled([&](auto const& cause) {
                        trio::lowlevel::reschedule(task, cause.exception());
                        return Abort::failed;
                      }),
                      trio::Interrupted);
      checkpoint();
    });
  }
  SUBCASE("by another task, once") {
    run([] {
      trio::Task& task = trio::lowlevel::current_task();
      std::exception_ptr kept;
      trio::Event asked;
      auto const error = thrown_by([&] {
        trio::open_nursery([&](trio::Nursery& nursery) {
          nursery.start_soon([&] {
            raise(SIGINT);
            asked.wait();
            trio::sleep(3s);
            trio::lowlevel::reschedule(task, kept);
          });
          trio::lowlevel::wait_task_rescheduled([&](auto const& cause) {
            CHECK(!kept);
            kept = cause.exception();
            asked.set();
            return Abort::failed;
          });
        });
      });
      CHECK(matches(error, group(of<trio::Interrupted>())));
      checkpoint();
    });
  }
}

TEST_CASE("a SIGINT that meets no checkpoint comes out of run() [K:272 9]") {
  CHECK_THROWS_AS(run([] { raise(SIGINT); }), trio::Interrupted);
}

TEST_CASE("a SIGINT that meets no checkpoint wins over the main task's error") {
  CHECK_THROWS_AS(run([] {
                    raise(SIGINT);
                    throw support::KeyError();
                  }),
                  trio::Interrupted);
}

TEST_CASE("a SIGINT while only system tasks are left comes out of run()") {
  bool ended = false;
  CHECK_THROWS_AS(run([&] {
                    trio::lowlevel::spawn_system_task("late", [&] {
                      try {
                        trio::sleep_forever();
                      } catch (trio::Cancelled const&) {
                        raise(SIGINT);
                        ended = true;
                        throw;
                      }
                    });
                    checkpoint();
                  }),
                  trio::Interrupted);
  CHECK(ended);
}

TEST_CASE("SIGINT comes before a cancellation that waits as well [K:272 11]") {
  run([] {
    trio::CancelScope scope;
    support::within(scope, [&] {
      scope.cancel();
      CHECK_THROWS_AS(checkpoint(), trio::Cancelled);
      raise(SIGINT);
      CHECK_THROWS_AS(checkpoint(), trio::Interrupted);
      CHECK_THROWS_AS(checkpoint(), trio::Cancelled);
      raise(SIGINT);
      CHECK_THROWS_AS(trio::sleep_forever(), trio::Interrupted);
      CHECK_THROWS_AS(trio::sleep_forever(), trio::Cancelled);
    });
  });
}

TEST_CASE("a shield does not keep SIGINT out") {
  run([] {
    raise(SIGINT);
    CHECK_THROWS_AS(trio::shielded([] { trio::sleep(1s); }), trio::Interrupted);
  });
}

TEST_CASE("two SIGINTs before a checkpoint are one Interrupted") {
  run([] {
    raise(SIGINT);
    raise(SIGINT);
    CHECK_THROWS_AS(checkpoint(), trio::Interrupted);
    checkpoint();
    raise(SIGINT);
    CHECK_THROWS_AS(checkpoint(), trio::Interrupted);
    checkpoint();
  });
}

TEST_CASE("SIGINT goes to the main task, whichever task runs when it comes") {
  run([] {
    std::vector<std::string> record;
    auto const error = thrown_by([&] {
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([&] {
          checkpoint();
          raise(SIGINT);
          checkpoint();
          record.push_back("child goes on");
          try {
            trio::sleep_forever();
          } catch (trio::Cancelled const&) {
            record.push_back("child is cancelled");
            throw;
          }
        });
        try {
          trio::sleep_forever();
        } catch (trio::Interrupted const&) {
          record.push_back("main is interrupted");
          checkpoint();
          throw;
        }
      });
    });
    CHECK(matches(error, group(of<trio::Interrupted>())));
    CHECK(record.size() == 3);
    CHECK(record.back() == "child is cancelled");
  });
}

TEST_CASE("SIGINT at the end of a nursery is kept in its group and cancels its tasks [K:272]") {
  run([] {
    int cancelled = 0;
    auto const error = thrown_by([&] {
      trio::open_nursery([&](trio::Nursery& nursery) {
        for (int i = 0; i < 3; ++i)
          nursery.start_soon([&] {
            try {
              trio::sleep_forever();
            } catch (trio::Cancelled const&) {
              ++cancelled;
              throw;
            }
          });
        nursery.start_soon([] {
          trio::sleep(1s);
          raise(SIGINT);
        });
      });
    });
    CHECK(matches(error, group(of<trio::Interrupted>())));
    CHECK(cancelled == 3);
    checkpoint();
  });
}

TEST_CASE("who is cancelled because of SIGINT hears that it was SIGINT [C:202]") {
  // In the body, at the end, and at the end of an inner nursery.
  for (int place : {0, 1, 2}) {
    run([place] {
      std::vector<trio::CancelReason> reasons;
      auto const error = thrown_by([&] {
        trio::open_nursery([&](trio::Nursery& nursery) {
          nursery.start_soon([&] {
            try {
              trio::sleep_forever();
            } catch (trio::Cancelled const& cancelled) {
              reasons.push_back(cancelled.reason());
              throw;
            }
          });
          nursery.start_soon([] {
            trio::sleep(1s);
            raise(SIGINT);
          });
          if (place == 0) trio::sleep_forever();
          if (place == 2)
            trio::open_nursery([](trio::Nursery& inner) { inner.start_soon(trio::sleep_forever); });
        });
      });
      CHECK(trio::exception_cast<trio::BaseExceptionGroup>(error)->find<trio::Interrupted>());
      REQUIRE(reasons.size() == 1);
      CHECK(reasons[0].source == trio::CancelSource::interrupt);
      CHECK(trio::describe(reasons[0]).find("SIGINT") != std::string::npos);
    });
  }
}

TEST_CASE("an abort function that takes the SIGINT as an exception has it delivered") {
  run([] {
    std::exception_ptr taken;
    raise(SIGINT);
    trio::lowlevel::wait_task_rescheduled(
        [&, &task = trio::lowlevel::current_task()](trio::lowlevel::RaiseCancel const& raise) {
          taken = raise.exception();
          trio::lowlevel::current_trio_token().run_sync_soon(
              [&task] { trio::lowlevel::reschedule(task); });
          return trio::lowlevel::Abort::failed;
        });
    CHECK(matches(taken, of<trio::Interrupted>()));
    checkpoint();
  });
}

TEST_CASE("SIGINT at the end of a nursery leaves it waiting for a shielded task") {
  run([] {
    auto const start = trio::current_time();
    auto const error = thrown_by([] {
      trio::open_nursery([](trio::Nursery& nursery) {
        nursery.start_soon([] {
          raise(SIGINT);
          trio::shielded([] { trio::sleep(5s); });
          throw support::KeyError();
        });
      });
    });
    CHECK(matches(error, group(of<trio::Interrupted>(), of<support::KeyError>())));
    CHECK(trio::current_time() - start == 5s);
  });
}

TEST_CASE("SIGINT wakes the main task out of every kind of wait, with nothing left behind") {
  run([] {
    trio::Lock lock;
    trio::Event event;
    auto [sender, receiver] = trio::open_memory_channel<int>(0);
    int const never_readable = eventfd(0, EFD_CLOEXEC);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        auto const held = lock.guard();
        trio::sleep_forever();
      });
      checkpoint();
      for (std::function<void()> const& wait : std::vector<std::function<void()>>{
               [&] { lock.acquire(); }, [&] { event.wait(); }, [&] { receiver.receive(); },
               [&] { sender.send(1); }, [] { trio::sleep(1h); }, [&] { nursery.join(); },
               [&] { trio::lowlevel::wait_readable(never_readable); }}) {
        raise(SIGINT);
        CHECK_THROWS_AS(wait(), trio::Interrupted);
        nursery.start_soon([] { raise(SIGINT); });
        CHECK_THROWS_AS(wait(), trio::Interrupted);
      }
      CHECK(lock.tasks_waiting() == 0);
      CHECK(event.tasks_waiting() == 0);
      CHECK(sender.statistics().tasks_waiting_send == 0);
      CHECK(sender.statistics().tasks_waiting_receive == 0);
      CHECK(trio::lowlevel::current_statistics().deadlines == 0);
      nursery.cancel_scope().cancel();
    });
    close(never_readable);
  });
}

TEST_CASE("SIGINT does not interrupt a destructor that unwinding runs, but what comes after it") {
  run([] {
    bool finished = false;
    try {
      AtEnd const guard{[&] {
        raise(SIGINT);
        checkpoint();
        trio::sleep(1s);
        // Not in a scope of its own either: nothing between here and there would catch it.
        auto const outcome = trio::move_on_after(1s, [] {
          trio::lowlevel::checkpoint_if_cancelled();
          trio::sleep_forever();
        });
        CHECK(outcome.cut_short);
        trio::open_nursery([](trio::Nursery& nursery) {
          nursery.start_soon([] {
            raise(SIGINT);
            trio::sleep(1s);
          });
        });
        finished = true;
      }};
      throw support::KeyError();
    } catch (support::KeyError const&) {
      CHECK(finished);
      CHECK_THROWS_AS(checkpoint(), trio::Interrupted);
    }
    checkpoint();
  });
}

TEST_CASE("SIGINT does not interrupt main's arguments while they are destroyed, nor is it lost") {
  bool finished = false;
  auto const at_end = [&](void*) {
    raise(SIGINT);
    checkpoint();
    trio::sleep(1s);
    finished = true;
  };
  auto const error =
      thrown_by([&] { run([held = std::shared_ptr<void>(nullptr, at_end)] { checkpoint(); }); });
  CHECK(matches(error, of<trio::Interrupted>()));
  CHECK(finished);
}

TEST_CASE("SIGINT from another thread wakes a run that sleeps in the kernel") {
  Disposition const as_at_start(SIG_DFL);
  std::thread sender;
  CHECK_THROWS_AS(trio::run([&] {
                    sender = std::thread([] { kill(getpid(), SIGINT); });
                    trio::sleep_forever();
                  }),
                  trio::Interrupted);
  sender.join();
}

TEST_CASE("a handler that the program has is left alone [K:492]") {
  static std::atomic<int> handled;
  handled = 0;
  Disposition const own([](int) { ++handled; });
  trio::run([] {
    raise(SIGINT);
    checkpoint();
  });
  CHECK(handled == 1);
  raise(SIGINT);
  CHECK(handled == 2);
}

TEST_CASE("a program that ignores SIGINT goes on ignoring it") {
  Disposition const ignored(SIG_IGN);
  trio::run([] {
    raise(SIGINT);
    checkpoint();
  });
}

TEST_CASE("a handler installed during the run stays when the run ends") {
  static std::atomic<int> handled;
  handled = 0;
  Disposition const as_at_start(SIG_DFL);
  trio::run([] { signal(SIGINT, [](int) { ++handled; }); });
  raise(SIGINT);
  CHECK(handled == 1);
}

TEST_CASE("the handler is there during a run and gone after it") {
  Disposition const as_at_start(SIG_DFL);
  for (int round = 0; round < 2; ++round) {
    trio::run([] { CHECK(!sigint_is_default()); });
    CHECK(sigint_is_default());
    CHECK_THROWS(trio::run([] { throw support::KeyError(); }));
    CHECK(sigint_is_default());
  }
}

TEST_CASE("Sigint::untouched installs nothing") {
  run([] { CHECK(sigint_is_default()); }, trio::Sigint::untouched);
}

TEST_CASE("a run may leave the terminal's ctrl-c to others and still be interrupted by kill") {
  run(
      [] {
        // What the kernel sends for ctrl-c says that the kernel sent it.
        siginfo_t from_terminal = {};
        from_terminal.si_code = SI_KERNEL;
        REQUIRE(syscall(SYS_rt_sigqueueinfo, getpid(), SIGINT, &from_terminal) == 0);
        checkpoint();
        kill(getpid(), SIGINT);
        CHECK_THROWS_AS(checkpoint(), trio::Interrupted);
      },
      trio::Sigint::interrupts_unless_from_terminal);
}

TEST_CASE("by default the terminal's ctrl-c interrupts") {
  run([] {
    siginfo_t from_terminal = {};
    from_terminal.si_code = SI_KERNEL;
    REQUIRE(syscall(SYS_rt_sigqueueinfo, getpid(), SIGINT, &from_terminal) == 0);
    CHECK_THROWS_AS(checkpoint(), trio::Interrupted);
  });
}

TEST_CASE("of two runs in two threads, the first gets SIGINT") {
  Disposition const as_at_start(SIG_DFL);
  trio::run([] {
    std::thread([] {
      trio::run([] {
        raise(SIGINT);
        checkpoint();
      });
    }).join();
    CHECK(!sigint_is_default());
    CHECK_THROWS_AS(checkpoint(), trio::Interrupted);
  });
  CHECK(sigint_is_default());
}
