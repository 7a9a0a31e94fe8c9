// SPDX-License-Identifier: BSL-1.0
#include "../child_process.hpp"
#include "../sanitized.hpp"
#include "support.hpp"

#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <signal.h>
#include <sys/resource.h>

using namespace support;
using trio::lowlevel::checkpoint;
using trio::lowlevel::current_statistics;
using trio::lowlevel::current_task;
using trio::lowlevel::current_trio_token;
using trio::lowlevel::TrioToken;
using trio::testing::assert_checkpoints;

namespace from_thread = trio::from_thread;
namespace to_thread = trio::to_thread;

namespace {

// A semaphore between threads. Not std::counting_semaphore, which in libstdc++ 12 may sleep for
// ever.
class Signal {
 public:
  void release(int count = 1) {
    std::lock_guard const lock(mutex_);
    count_ += count;
    changed_.notify_all();
  }

  void acquire() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return count_ > 0; });
    --count_;
  }

  bool try_acquire() {
    std::lock_guard const lock(mutex_);
    if (count_ == 0) return false;
    --count_;
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

// An event of the run that a thread sets.
class Flag {
 public:
  void set() const {
    token_.run_sync_soon([this] { event_.set(); });
  }

  void wait() { event_.wait(); }

 private:
  TrioToken token_ = current_trio_token();
  trio::Event mutable event_;
};

int twice(int number) { return 2 * number; }

}  // namespace

TEST_CASE(
    "to_thread::run calls a function in another thread and returns what it returns [th:120]") {
  trio::run([] {
    auto const here = std::this_thread::get_id();
    CHECK(to_thread::run([] { return std::this_thread::get_id(); }) != here);
    CHECK(to_thread::run(twice, 21) == 42);
    CHECK(*to_thread::run([](std::unique_ptr<int> owned) { return owned; },
                          std::make_unique<int>(7)) == 7);
    int shared = 0;
    to_thread::run([](int& counter) { ++counter; }, std::ref(shared));
    CHECK(shared == 1);
    CHECK_FALSE(to_thread::run([] { return trio::lowlevel::in_task(); }));
  });
}

TEST_CASE("to_thread::run throws what the function throws, as the object it is [th:120]") {
  trio::run([] {
    auto const thrown = std::make_exception_ptr(KeyError());
    CHECK(thrown_by([&] { to_thread::run([&] { std::rethrow_exception(thrown); }); }) == thrown);
    CHECK_THROWS_AS(to_thread::run([]() -> int { throw 7; }), int);
    auto const error = thrown_by([] { to_thread::run([] { throw KeyError(); }); });
    CHECK_FALSE(trio::thrown_at(error).empty());
  });
}

TEST_CASE("to_thread::run is a checkpoint, and other tasks run meanwhile") {
  trio::run([] {
    assert_checkpoints([] { to_thread::run([] {}); });
    Signal go;
    bool ran = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        checkpoint();
        ran = true;
        go.release();
      });
      to_thread::run([&] { go.acquire(); });
      CHECK(ran);
    });
  });
}

TEST_CASE("function and arguments are copied into the thread and gone before the task goes on") {
  trio::run([] {
    struct Argument {
      explicit Argument(std::thread::id& where) : where_destroyed(&where) {}

      Argument(Argument&& other) noexcept
          : where_destroyed(std::exchange(other.where_destroyed, nullptr)) {}

      Argument& operator=(Argument&&) = delete;

      ~Argument() {
        if (where_destroyed) *where_destroyed = std::this_thread::get_id();
      }

      std::thread::id* where_destroyed;
    };

    std::thread::id destroyed;
    auto const worker = to_thread::run([](Argument const&) { return std::this_thread::get_id(); },
                                       Argument(destroyed));
    CHECK(destroyed == worker);
  });
}

TEST_CASE("to_thread::run needs a task") {
  CHECK_THROWS_AS(to_thread::run([] {}), trio::MisuseError);
  CHECK_THROWS_AS(static_cast<void>(to_thread::current_default_thread_limiter()),
                  trio::MisuseError);
}

TEST_CASE("a cancelled to_thread::run starts no thread [th:342]") {
  trio::run([] {
    bool called = false;
    trio::CancelScope scope;
    scope.cancel();
    auto const outcome = scope.enter([&] { to_thread::run([&] { called = true; }); });
    CHECK(outcome.cut_short);
    CHECK_FALSE(called);
    CHECK(current_statistics().threads == 0);
    CHECK(to_thread::current_default_thread_limiter().borrowed_tokens() == 0);
  });
}

TEST_CASE("cancelled while the thread works, to_thread::run completes all the same [th:342]") {
  trio::run([] {
    Signal go;
    trio::CancelScope scope;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        trio::testing::wait_all_tasks_blocked();
        scope.cancel();
        trio::testing::wait_all_tasks_blocked();
        go.release();
      });
      int result = 0;
      auto const outcome = scope.enter([&] {
        result = to_thread::run([&] {
          go.acquire();
          return 7;
        });
        // Done is done; what comes next is cancelled.
        CHECK(scope.cancel_called());
        CHECK_THROWS_AS(checkpoint(), trio::Cancelled);
      });
      CHECK(result == 7);
      CHECK_FALSE(outcome.cut_short);
    });
  });
}

TEST_CASE("with abandon_on_cancel the task goes on and the thread too, with its token [th:342]") {
  Signal go;
  std::atomic<bool> done = false;
  std::weak_ptr<int> dropped;
  trio::run([&] {
    trio::CapacityLimiter limiter(1);
    Flag started, ended;
    auto const outcome = trio::move_on_after(1h, [&] {
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([&] {
          started.wait();
          CHECK(limiter.borrowed_tokens() == 1);
          nursery.cancel_scope().cancel();
        });
        to_thread::run({.abandon_on_cancel = true, .limiter = &limiter}, [&] {
          started.set();
          go.acquire();
          done = true;
          auto result = std::make_shared<int>(7);
          dropped = result;
          ended.set();
          return result;
        });
        FAIL("to_thread::run was not cancelled");
      });
    });
    CHECK_FALSE(outcome.cut_short);
    CHECK_FALSE(done);
    CHECK(limiter.borrowed_tokens() == 1);
    CHECK_THROWS_AS(limiter.acquire_on_behalf_of_nowait(&limiter), trio::WouldBlock);
    go.release();
    ended.wait();
    // Comes free when the thread has really ended.
    limiter.acquire();
    limiter.release();
    CHECK(done);
  });
  CHECK(dropped.expired());
}

TEST_CASE("a run does not wait for a thread that was abandoned") {
  Signal go;
  Signal ended;
  trio::run([&] {
    auto const outcome = trio::move_on_after(0s, [&] {
      // Not before the thread works: it would not be started.
      trio::shielded([&] {
        trio::open_nursery([&](trio::Nursery& nursery) {
          Flag started;
          nursery.start_soon([&] {
            started.wait();
            nursery.cancel_scope().cancel();
          });
          to_thread::run({.abandon_on_cancel = true}, [&, &flag = started] {
            flag.set();
            go.acquire();
            ended.release();
          });
        });
      });
    });
    static_cast<void>(outcome);
  });
  go.release();
  ended.acquire();
}

TEST_CASE("a limiter bounds the threads, cancelled ones included [th:443]") {
  for (bool const abandon : {false, true}) {
    trio::run([abandon] {
      constexpr int most = 4;
      constexpr int tasks = 11;
      trio::CapacityLimiter limiter(most);
      std::atomic<int> working = 0;
      std::atomic<int> peak = 0;
      Signal gate;
      trio::open_nursery([&](trio::Nursery& nursery) {
        for (int i = 0; i < tasks; ++i)
          nursery.start_soon([&] {
            to_thread::run({.abandon_on_cancel = abandon, .limiter = &limiter}, [&] {
              int const now = ++working;
              for (int seen = peak; seen < now && !peak.compare_exchange_weak(seen, now);) {}
              gate.acquire();
              --working;
            });
          });
        trio::testing::wait_all_tasks_blocked();
        CHECK(limiter.borrowed_tokens() == most);
        CHECK(limiter.statistics().tasks_waiting == tasks - most);
        nursery.cancel_scope().cancel();
        let_others_block();
        // The threads that work hold their tokens, whatever has become of their tasks.
        CHECK(limiter.borrowed_tokens() == most);
        CHECK(limiter.statistics().tasks_waiting == 0);
        CHECK(nursery.child_task_count() == (abandon ? 0 : most));
        gate.release(most);
      });
      // The last of them gives back the last token.
      while (limiter.borrowed_tokens() > 0) to_thread::run([] {});
      CHECK(peak <= most);
      CHECK(working == 0);
    });
  }
}

TEST_CASE("an error of the limiter's release comes out of to_thread::run [th:579]") {
  trio::run([] {
    trio::CapacityLimiter limiter(1);
    auto const steals_its_token = [&] {
      from_thread::run_sync(
          [&] { limiter.release_on_behalf_of(limiter.statistics().borrowers.front()); });
    };
    CHECK_THROWS_AS(to_thread::run({.limiter = &limiter}, steals_its_token), trio::MisuseError);
    CHECK_THROWS_AS(to_thread::run({.limiter = &limiter},
                                   [&] {
                                     steals_its_token();
                                     throw KeyError();
                                   }),
                    trio::MisuseError);
    CHECK(to_thread::run({.limiter = &limiter}, twice, 21) == 42);
  });
}

TEST_CASE("hidden: no memory for the stack of a thread" * doctest::skip()) {
  trio::run([] {
    rlimit before = {};
    getrlimit(RLIMIT_AS, &before);
    trio::CapacityLimiter limiter(1);
    rlimit none = before;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_AS, &none);
    auto const error = thrown_by([&] { to_thread::run({.limiter = &limiter}, [] {}); });
    setrlimit(RLIMIT_AS, &before);
    CHECK(matches(error, of<std::system_error>()));
    CHECK(limiter.borrowed_tokens() == 0);
    CHECK(current_statistics().threads == 0);
    CHECK(to_thread::run({.limiter = &limiter}, twice, 21) == 42);
  });
}

TEST_CASE("a thread that cannot be made gives its token back [th:607]" *
          doctest::skip(support::sanitized || support::under_tsan)) {
  auto const ending = run_hidden_case("hidden: no memory for the stack of a thread");
  INFO(ending.errors);
  CHECK(ending.signal == 0);
  CHECK(ending.exit_code == 0);
}

TEST_CASE("the default limiter lends 40 tokens, in each run anew") {
  for (int i = 0; i < 2; ++i)
    trio::run([] {
      auto& limiter = to_thread::current_default_thread_limiter();
      CHECK(limiter.total_tokens() == 40);
      to_thread::run(
          [&] { from_thread::run_sync([&] { CHECK(limiter.borrowed_tokens() == 1); }); });
      CHECK(limiter.borrowed_tokens() == 0);
      limiter.set_total_tokens(1);
    });
}

TEST_CASE("from_thread::run goes back into the task that waits [th:938]") {
  trio::run([] {
    trio::Task* const host = &current_task();
    auto const here = std::this_thread::get_id();
    auto const result = to_thread::run([&] {
      int sum = 0;
      for (int i = 0; i < 3; ++i)
        sum += from_thread::run([&, i] {
          CHECK(std::this_thread::get_id() == here);
          CHECK(&current_task() == host);
          trio::sleep(0s);
          return i;
        });
      sum += from_thread::run_sync([&] {
        CHECK(&current_task() == host);
        return 10;
      });
      return sum + from_thread::run(twice, 50);
    });
    CHECK(result == 113);
  });
}

TEST_CASE("what a call from a thread throws is thrown in the thread") {
  trio::run([] {
    to_thread::run([] {
      CHECK_THROWS_AS(from_thread::run([] { throw KeyError(); }), KeyError);
      CHECK_THROWS_AS(from_thread::run_sync([]() -> int { throw KeyError(); }), KeyError);
    });
    CHECK_THROWS_AS(to_thread::run([] { from_thread::run([] { throw KeyError(); }); }), KeyError);
  });
}

TEST_CASE("threads in tasks in threads") {
  trio::run([] {
    auto const result = to_thread::run([] {
      return from_thread::run(
          [] { return to_thread::run([] { return from_thread::run(twice, 21); }); });
    });
    CHECK(result == 42);
  });
}

TEST_CASE("a thread may have a run of its own") {
  trio::run([] {
    auto const result = to_thread::run([] {
      return trio::run([] {
        CHECK_THROWS_AS(from_thread::run_sync([] {}), trio::MisuseError);
        return to_thread::run(twice, 21);
      });
    });
    CHECK(result == 42);
  });
}

TEST_CASE("the calls of a thread that may be abandoned are made in a system task [th:938]") {
  trio::run([] {
    trio::Task* const host = &current_task();
    to_thread::run({.abandon_on_cancel = true}, [&] {
      from_thread::run([&] {
        CHECK(&current_task() != host);
        checkpoint();
      });
      from_thread::run_sync([&] { CHECK(&current_task() != host); });
      CHECK(from_thread::run(twice, 21) == 42);
    });
  });
}

TEST_CASE("a thread of a cancelled task may call back, and its checkpoints tell it [th:959]") {
  trio::run([] {
    for (bool const abandon : {false, true}) {
      trio::CancelScope scope;
      Signal go;
      Flag started;
      Signal finished;
      std::vector<std::string> record;
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([&] {
          started.wait();
          scope.cancel();
          trio::testing::wait_all_tasks_blocked();
          go.release();
        });
        auto const outcome = scope.enter([&] {
          to_thread::run({.abandon_on_cancel = abandon}, [&] {
            started.set();
            go.acquire();
            from_thread::run_sync([&] { record.push_back("sync"); });
            from_thread::run([&] { record.push_back("no checkpoint"); });
            auto const error = thrown_by([] { from_thread::run(checkpoint); });
            record.push_back(error ? "cancelled" : "checkpoint");
            finished.release();
            if (error) std::rethrow_exception(error);
          });
        });
        CHECK(outcome.cut_short);
      });
      while (!finished.try_acquire()) checkpoint();
      CHECK(record == std::vector<std::string>{"sync", "no checkpoint",
                                               abandon ? "checkpoint" : "cancelled"});
    }
  });
}

TEST_CASE("check_cancelled tells a thread that its task is cancelled [th:1036, th:1079]") {
  trio::run([] {
    for (bool const abandon : {false, true}) {
      trio::CancelScope scope;
      Signal go;
      Flag started;
      Flag told;
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([&] {
          started.wait();
          scope.cancel("enough");
          trio::testing::wait_all_tasks_blocked();
          go.release();
        });
        auto const outcome = scope.enter([&] {
          to_thread::run({.abandon_on_cancel = abandon}, [&] {
            from_thread::check_cancelled();
            started.set();
            go.acquire();
            auto const error = thrown_by(from_thread::check_cancelled);
            auto const* cancelled = trio::exception_cast<trio::Cancelled>(error);
            CHECK((cancelled && cancelled->reason().reason == "enough"));
            told.set();
            std::rethrow_exception(error);
          });
        });
        CHECK(outcome.cut_short);
        told.wait();
      });
    }
  });
}

TEST_CASE("check_cancelled follows the shields around the task") {
  trio::run([] {
    trio::CancelScope outer;
    bool finished = false;
    trio::CancelScope inner(trio::never, true);
    within(outer, [&] {
      within(inner, [&] {
        to_thread::run([&] {
          from_thread::run_sync([&] { outer.cancel(); });
          from_thread::check_cancelled();
          from_thread::run_sync([&] { inner.set_shield(false); });
          // Not before the task waits again does it learn of it.
          from_thread::run_sync([] {});
          CHECK_THROWS_AS(from_thread::check_cancelled(), trio::Cancelled);
          from_thread::run_sync([&] { inner.set_shield(true); });
          from_thread::run_sync([] {});
          from_thread::check_cancelled();
          finished = true;
        });
      });
    });
    CHECK(finished);
  });
}

TEST_CASE("from_thread is for threads of to_thread::run, and for others with a token [th:1127]") {
  trio::run([] {
    std::optional<TrioToken> const token = current_trio_token();
    Flag done;
    std::thread foreign([&] {
      CHECK_THROWS_AS(from_thread::run([] {}), trio::MisuseError);
      CHECK_THROWS_AS(from_thread::run_sync([] {}), trio::MisuseError);
      CHECK_THROWS_AS(from_thread::check_cancelled(), trio::MisuseError);
      CHECK(from_thread::run(*token, twice, 21) == 42);
      CHECK(from_thread::run(*token, [] {
              checkpoint();
              return 7;
            }) == 7);
      CHECK(from_thread::run_sync(*token, [] { return 8; }) == 8);
      CHECK_THROWS_AS(from_thread::run_sync(*token, [] { throw KeyError(); }), KeyError);
      done.set();
    });
    done.wait();
    foreign.join();
  });
}

TEST_CASE("from_thread refuses to block the thread of a run [th:114, th:884]") {
  trio::run([] {
    TrioToken const token = current_trio_token();
    CHECK_THROWS_AS(from_thread::run([] {}), trio::MisuseError);
    CHECK_THROWS_AS(from_thread::run(token, [] {}), trio::MisuseError);
    CHECK_THROWS_AS(from_thread::run_sync(token, [] {}), trio::MisuseError);
    CHECK_THROWS_AS(from_thread::check_cancelled(), trio::MisuseError);
  });
}

TEST_CASE("from_thread tells that the run is over, or ends [th:173, th:893]") {
  std::optional<TrioToken> token;
  Signal over;
  std::thread late;
  std::exception_ptr ended;
  trio::run([&] {
    token = current_trio_token();
    trio::Event waiting;
    late = std::thread([&] {
      ended = thrown_by([&] {
        from_thread::run(*token, [&] {
          waiting.set();
          trio::sleep_forever();
        });
      });
      over.acquire();
      CHECK_THROWS_AS(from_thread::run(*token, [] {}), trio::RunFinishedError);
      CHECK_THROWS_AS(from_thread::run_sync(*token, [] {}), trio::RunFinishedError);
    });
    waiting.wait();
  });
  over.release();
  late.join();
  CHECK(matches(ended, of<trio::Cancelled>()));
}

TEST_CASE("a thread whose call gets no stack hears that the run is over" *
          doctest::skip(sanitized || under_tsan || under_valgrind())) {
  std::exception_ptr heard;
  CHECK_THROWS_AS(run_without_stacks([&] {
                    to_thread::run([&, token = current_trio_token()] {
                      heard = thrown_by([&] { from_thread::run(token, [] {}); });
                    });
                  }),
                  trio::TrioInternalError);
  CHECK(matches(heard, of<trio::RunFinishedError>()));
}

TEST_CASE("a thread of an abandoned call hears that the run is over") {
  Signal go;
  Signal ended;
  std::exception_ptr refused;
  trio::run([&] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      Flag started;
      nursery.start_soon([&] {
        started.wait();
        nursery.cancel_scope().cancel();
      });
      to_thread::run({.abandon_on_cancel = true}, [&, &flag = started] {
        flag.set();
        go.acquire();
        refused = thrown_by([] { from_thread::run([] {}); });
        ended.release();
      });
    });
  });
  go.release();
  ended.acquire();
  CHECK(matches(refused, of<trio::RunFinishedError>()));
}

TEST_CASE("a thread that has worked does the next work too") {
  trio::run([] {
    std::set<std::thread::id> threads;
    for (int i = 0; i < 100; ++i)
      threads.insert(to_thread::run([] { return std::this_thread::get_id(); }));
    CHECK(threads.size() == 1);
    CHECK(current_statistics().threads == 1);
  });
}

TEST_CASE("as many threads as tasks ask for, and no more") {
  trio::run([] {
    for (int round = 0; round < 3; ++round)
      trio::open_nursery([](trio::Nursery& nursery) {
        constexpr int count = 5;
        auto const all_there = std::make_shared<std::latch>(count);
        for (int i = 0; i < count; ++i)
          nursery.start_soon([=] { to_thread::run([=] { all_there->arrive_and_wait(); }); });
      });
    CHECK(current_statistics().threads == 5);
  });
}

namespace {

// Tells of the end of the thread that has touched it.
struct AtThreadEnd {
  std::atomic<int>* counter = nullptr;

  ~AtThreadEnd() {
    if (counter) {
      ++*counter;
      counter->notify_all();
    }
  }
};

thread_local AtThreadEnd at_thread_end;

}  // namespace

TEST_CASE("idle threads end with the run") {
  std::atomic<int> ended = 0;
  trio::run([&] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      auto const all_there = std::make_shared<std::latch>(3);
      for (int i = 0; i < 3; ++i)
        nursery.start_soon([&, all_there] {
          to_thread::run([&, all_there] {
            at_thread_end.counter = &ended;
            all_there->arrive_and_wait();
          });
        });
    });
    CHECK(ended == 0);
  });
  CHECK(ended == 3);
}

TEST_CASE("a thread that has been idle for long enough ends, and another is made when needed") {
  trio::RunOptions options;
  options.idle_threads_end_after = 0s;
  std::atomic<int> ended = 0;
  trio::run(options, [&] {
    for (int i = 0; i < 3; ++i) {
      to_thread::run([&] { at_thread_end.counter = &ended; });
      ended.wait(i);
    }
    CHECK(ended == 3);
  });
}

TEST_CASE("many short calls from many tasks all come back") {
  trio::run([] {
    int sum = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int i = 0; i < 200; ++i)
        nursery.start_soon([&, i] {
          for (int j = 0; j < 5; ++j)
            sum += to_thread::run([i] { return from_thread::run(twice, i) - i; });
        });
    });
    CHECK(sum == 5 * 199 * 200 / 2);
    CHECK(current_statistics().threads <= 40);
  });
}

namespace {

// Runs `fn` as the main task of a run that minds SIGINT, whatever doctest does about it.
template <class F> void run_interruptible(F&& fn) {
  struct sigaction before = {};
  struct sigaction plain = {};
  plain.sa_handler = SIG_DFL;
  sigaction(SIGINT, &plain, &before);
  AtEnd const restore{[&] { sigaction(SIGINT, &before, nullptr); }};
  trio::run(std::forward<F>(fn));
}

}  // namespace

TEST_CASE("SIGINT waits for a thread's end, or for its check_cancelled") {
  run_interruptible([] {
    CHECK(to_thread::run([] {
            raise(SIGINT);
            return 7;
          }) == 7);
    CHECK_THROWS_AS(checkpoint(), trio::Interrupted);
    bool told = false;
    CHECK_THROWS_AS(to_thread::run([&] {
                      raise(SIGINT);
                      try {
                        for (;;) from_thread::check_cancelled();
                      } catch (trio::Interrupted const&) {
                        told = true;
                        throw;
                      }
                    }),
                    trio::Interrupted);
    CHECK(told);
    // Once.
    checkpoint();
  });
}

TEST_CASE("SIGINT abandons a thread that may be abandoned") {
  Signal told;
  run_interruptible([&] {
    CHECK_THROWS_AS(
        to_thread::run({.abandon_on_cancel = true},
                       [&] {
                         raise(SIGINT);
                         try {
                           for (;;) from_thread::check_cancelled();
                         } catch (trio::Cancelled const& cancelled) {
                           if (cancelled.reason().source == trio::CancelSource::interrupt)
                             told.release();
                         }
                       }),
        trio::Interrupted);
    checkpoint();
  });
  told.acquire();
}

TEST_CASE("a task that waits for a thread says so in the tree") {
  trio::run([] {
    Signal go;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon({.name = "waiter"}, [&] { to_thread::run([&] { go.acquire(); }); });
      trio::testing::wait_all_tasks_blocked();
      auto const text = trio::format(trio::task_tree());
      go.release();
      INFO(text);
      auto const line = text.find("- waiter: parked for ");
      REQUIRE(line != text.npos);
      CHECK(text.substr(line, text.find('\n', line) - line).find(" in trio::to_thread::run") !=
            text.npos);
    });
  });
}

TEST_CASE("a thread's task that is rescheduled by hand goes on waiting") {
  trio::run([] {
    Signal go;
    bool finished = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      trio::Task& host = current_task();
      nursery.start_soon([&] {
        trio::testing::wait_all_tasks_blocked();
        trio::lowlevel::reschedule(host);
        trio::testing::wait_all_tasks_blocked();
        CHECK_FALSE(finished);
        go.release();
      });
      to_thread::run([&] { go.acquire(); });
      finished = true;
    });
  });
}

TEST_CASE("a thread that ends when its task was rescheduled by hand just now is no error") {
  trio::run([] {
    Signal go;
    trio::open_nursery([&](trio::Nursery& nursery) {
      trio::Task& host = current_task();
      nursery.start_soon([&] {
        trio::testing::wait_all_tasks_blocked();
        go.release();
        while (current_statistics().run_sync_soon_queue == 0) std::this_thread::yield();
        // The call waits for its turn, which comes before the host's.
        checkpoint();
        trio::lowlevel::reschedule(host);
      });
      CHECK(to_thread::run([&] {
              go.acquire();
              return 7;
            }) == 7);
    });
  });
}
