// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

using namespace support;
using trio::GuestOutcome;
using trio::lowlevel::checkpoint;
using trio::lowlevel::current_trio_token;
using trio::testing::wait_all_tasks_blocked;

namespace {

// An event loop as others have it.
class Host {
 public:
  void post(std::function<void()> call) {
    {
      std::lock_guard const lock(mutex_);
      calls_.push_back(std::move(call));
      if (std::this_thread::get_id() != thread_) ++wakes_;
    }
    changed_.notify_one();
  }

  // Until stop().
  void run() {
    while (!stopped_) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !calls_.empty(); });
      auto const call = std::move(calls_.front());
      calls_.pop_front();
      lock.unlock();
      call();
    }
    CHECK(calls_.empty());
  }

  void stop() { stopped_ = true; }

  // How often another thread has asked.
  int wakes() const { return wakes_; }

  trio::GuestHost as_host() {
    return {.run_sync_soon_threadsafe = [this](auto call) { post(std::move(call)); }};
  }

 private:
  std::thread::id const thread_ = std::this_thread::get_id();
  std::atomic<int> wakes_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> calls_;
  bool stopped_ = false;
};

// Runs `fn` as a guest until it is done; `meanwhile` is called in between, when the run is in
// place. Returns or throws what it has come to.
template <class F> auto run_as_guest(
    F&& fn, std::function<void(Host&)> const& meanwhile = [](Host&) {},
    trio::RunOptions const& options = {}) {
  Host host;
  std::optional<GuestOutcome<std::invoke_result_t<F>>> result;
  trio::start_guest_run(host.as_host(), options, std::forward<F>(fn), [&](auto outcome) {
    result.emplace(std::move(outcome));
    host.stop();
  });
  meanwhile(host);
  host.run();
  return result->get();
}

// Calls `fn` on the host's loop when the run's tasks have been blocked for a while: when the host
// sleeps in the kernel for it. The run's own thread need not do anything for it.
void when_asleep(Host& host, std::function<void()> fn, int turns = 20) {
  host.post([&host, fn = std::move(fn), turns] {
    if (turns == 0)
      fn();
    else
      when_asleep(host, fn, turns - 1);
  });
}

}  // namespace

TEST_CASE("a guest run returns what its main function returns, through the host's loop") {
  CHECK(run_as_guest([] {
          for (int i = 0; i < 3; ++i) checkpoint();
          return 7;
        }) == 7);
  run_as_guest([] { trio::sleep(1us); });
  CHECK(*run_as_guest([] { return std::make_unique<int>(7); }) == 7);
}

TEST_CASE("a guest run throws what its main function throws, where done asks for it") {
  CHECK_THROWS_AS(run_as_guest([] { throw KeyError(); }), KeyError);
  CHECK_THROWS_AS(run_as_guest([]() -> int {
                    trio::sleep(1us);
                    throw KeyError();
                  }),
                  KeyError);
  Host host;
  bool failed = false;
  trio::start_guest_run(
      host.as_host(), {}, [] { throw KeyError(); },
      [&](GuestOutcome<void> outcome) {
        failed = trio::exception_cast<KeyError>(outcome.error()) != nullptr;
        host.stop();
      });
  host.run();
  CHECK(failed);
}

TEST_CASE("the run is in place before its main function has run [G:153]") {
  bool ran = false;
  Log log;
  run_as_guest(
      [&] {
        ran = true;
        log.push_back("main");
        wait_all_tasks_blocked();
      },
      [&](Host&) {
        CHECK_FALSE(ran);
        CHECK_FALSE(trio::lowlevel::in_task());
        current_trio_token().run_sync_soon([&] { log.push_back("called"); });
        trio::lowlevel::spawn_system_task("early", [&] { log.push_back("system task"); });
        CHECK(trio::lowlevel::current_statistics().tasks_living >= 3);
      });
  CHECK(ran);
  CHECK(log.size() == 3);
}

TEST_CASE("host and guest take turns, however busy the guest is") {
  int turns = 0;
  bool done = false;
  std::function<void(Host&)> count = [&](Host& host) {
    ++turns;
    if (!done) host.post([&] { count(host); });
  };
  run_as_guest(
      [&] {
        while (turns < 100) checkpoint();
        done = true;
      },
      [&](Host& host) { count(host); });
  CHECK(turns >= 100);
}

TEST_CASE("what the host does to a sleeping run takes effect at once [G:203, G:213]") {
  SUBCASE("an event is set") {
    trio::Event event;
    run_as_guest([&] { event.wait(); },
                 [&](Host& host) { when_asleep(host, [&] { event.set(); }); });
  }
  SUBCASE("a scope is cancelled") {
    trio::CancelScope scope;
    run_as_guest([&] { within(scope, trio::sleep_forever); },
                 [&](Host& host) { when_asleep(host, [&] { scope.cancel(); }); });
    CHECK(scope.cancelled_caught());
  }
  SUBCASE("a deadline is moved") {
    trio::CancelScope scope;
    run_as_guest([&] { within(scope, trio::sleep_forever); },
                 [&](Host& host) {
                   when_asleep(host,
                               [&] { scope.set_deadline(trio::after(trio::current_time(), 1ms)); });
                 });
    CHECK(scope.cancelled_caught());
  }
  SUBCASE("a task is started") {
    trio::Nursery* nursery = nullptr;
    trio::Event event;
    run_as_guest(
        [&] {
          trio::open_nursery([&](trio::Nursery& open) {
            nursery = &open;
            event.wait();
          });
        },
        [&](Host& host) { when_asleep(host, [&] { nursery->start_soon([&] { event.set(); }); }); });
  }
  SUBCASE("a descriptor becomes readable") {
    int const fd = eventfd(0, EFD_CLOEXEC);
    run_as_guest([&] { trio::lowlevel::wait_readable(fd); },
                 [&](Host& host) { when_asleep(host, [&] { eventfd_write(fd, 1); }); });
    close(fd);
  }
}

TEST_CASE("a thread's call wakes a guest run whose host sleeps") {
  std::thread other;
  run_as_guest([&] {
    trio::Event event;
    other = std::thread(
        [&, token = current_trio_token()] { token.run_sync_soon([&] { event.set(); }); });
    event.wait();
    CHECK(trio::to_thread::run([] { return 7; }) == 7);
  });
  other.join();
}

TEST_CASE("a wake-up of the host's is no idleness [G:350]") {
  Log log;
  trio::Event event;
  run_as_guest(
      [&] {
        trio::open_nursery([&](trio::Nursery& nursery) {
          nursery.start_soon([&] {
            event.wait();
            log.push_back("event");
          });
          // Longer than what the host needs to do its part.
          wait_all_tasks_blocked(100ms);
          log.push_back("idle");
        });
      },
      [&](Host& host) { when_asleep(host, [&] { event.set(); }); });
  CHECK(log == Log{"event", "idle"});
}

namespace {

std::atomic<bool> interrupted = false;

void note_interruption(int) { interrupted = true; }

}  // namespace

TEST_CASE("a signal that ends the sleep of the thread that sleeps for the host is no idleness") {
  struct sigaction before = {};
  struct sigaction noting = {};
  noting.sa_handler = note_interruption;
  sigaction(SIGUSR1, &noting, &before);
  sigset_t only, mask;
  sigemptyset(&only);
  sigaddset(&only, SIGUSR1);
  Log log;
  trio::Event event;
  run_as_guest(
      [&] {
        trio::open_nursery([&](trio::Nursery& nursery) {
          nursery.start_soon([&] {
            event.wait();
            log.push_back("event");
            nursery.cancel_scope().cancel();
          });
          wait_all_tasks_blocked(1h);
          log.push_back("idle");
        });
      },
      [&](Host& host) {
        when_asleep(host, [&] {
          // No other thread is there to take it.
          int const wakes = host.wakes();
          pthread_sigmask(SIG_BLOCK, &only, &mask);
          // The first one may come before it sleeps.
          while (host.wakes() == wakes) {
            kill(getpid(), SIGUSR1);
            std::this_thread::yield();
          }
          pthread_sigmask(SIG_SETMASK, &mask, nullptr);
          CHECK(interrupted);
          when_asleep(host, [&] { event.set(); });
        });
      });
  CHECK(log == Log{"event"});
  sigaction(SIGUSR1, &before, nullptr);
}

TEST_CASE("the time of a guest run may be a mock clock's") {
  trio::testing::MockClock clock = trio::testing::MockClock::autojumping();
  trio::RunOptions options;
  options.clock = &clock;
  run_as_guest(
      [] {
        auto const start = trio::current_time();
        trio::sleep(1h);
        CHECK(trio::current_time() - start == 1h);
        wait_all_tasks_blocked();
        CHECK(trio::move_on_after(1h, trio::sleep_forever).cut_short);
      },
      [](Host&) {}, options);
}

TEST_CASE("what goes wrong before main runs comes out of start_guest_run [G:580]") {
  Host host;
  trio::RunOptions options;
  options.stack_size = std::size_t{1} << 50;
  bool done = false;
  auto const error = thrown_by([&] {
    trio::start_guest_run(
        host.as_host(), options, [] {}, [&](GuestOutcome<void>) { done = true; });
  });
  auto const* internal = trio::exception_cast<trio::TrioInternalError>(error);
  REQUIRE(internal);
  CHECK(matches(internal->cause(), of<std::bad_alloc>()));
  CHECK_FALSE(done);
  trio::run(checkpoint);
}

TEST_CASE("what goes wrong in the run's own tasks is told to done [G:580]") {
  CHECK_THROWS_AS(run_as_guest([] {
                    trio::lowlevel::spawn_system_task("fails", [] { throw KeyError(); });
                    trio::sleep_forever();
                  }),
                  trio::TrioInternalError);
}

TEST_CASE("one run a thread, guest or not") {
  run_as_guest(
      [] {
        CHECK_THROWS_AS(trio::run([] {}), trio::MisuseError);
        CHECK_THROWS_AS(run_as_guest([] {}), trio::MisuseError);
      },
      [](Host&) {
        CHECK_THROWS_AS(trio::run([] {}), trio::MisuseError);
        CHECK_THROWS_AS(checkpoint(), trio::MisuseError);
      });
  trio::run([] { CHECK_THROWS_AS(run_as_guest([] {}), trio::MisuseError); });
}

TEST_CASE("done is called when all is gone, and may start another run") {
  Host host;
  Log log;
  auto const finish = [&](GuestOutcome<void> outcome) {
    outcome.get();
    host.stop();
  };
  trio::start_guest_run(
      host.as_host(), {},
      [&] {
        trio::lowlevel::spawn_system_task("late", [&] {
          AtEnd const end{[&] { log.push_back("system task"); }};
          trio::sleep_forever();
        });
        checkpoint();
        log.push_back("first");
      },
      [&](GuestOutcome<void>) {
        CHECK_THROWS_AS(static_cast<void>(trio::current_time()), trio::MisuseError);
        trio::run([&] { log.push_back("nested"); });
        trio::start_guest_run(
            host.as_host(), {}, [&] { log.push_back("second"); }, finish);
      });
  host.run();
  CHECK(log == Log{"first", "system task", "nested", "second"});
}

TEST_CASE("from its own thread, the host may be asked by a cheaper way") {
  Host host;
  int cheap = 0;
  trio::GuestHost way = host.as_host();
  way.run_sync_soon_not_threadsafe = [&](auto call) {
    ++cheap;
    host.post(std::move(call));
  };
  trio::start_guest_run(
      way, {},
      [] {
        for (int i = 0; i < 10; ++i) {
          trio::Event event;
          trio::open_nursery([&](trio::Nursery& nursery) {
            nursery.start_soon([&] { event.set(); });
            event.wait();
          });
        }
      },
      [&](GuestOutcome<void>) { host.stop(); });
  host.run();
  CHECK(cheap >= 10);
}

TEST_CASE("SIGINT interrupts the main task of a guest run") {
  struct sigaction before = {};
  struct sigaction plain = {};
  plain.sa_handler = SIG_DFL;
  sigaction(SIGINT, &plain, &before);
  CHECK_THROWS_AS(run_as_guest(trio::sleep_forever,
                               [](Host& host) { when_asleep(host, [] { raise(SIGINT); }); }),
                  trio::Interrupted);
  struct sigaction present = {};
  sigaction(SIGINT, &before, &present);
  CHECK((present.sa_handler == SIG_DFL));
}
