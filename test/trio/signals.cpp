// SPDX-License-Identifier: BSL-1.0
#include "../child_process.hpp"
#include "support.hpp"

#include <memory>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <signal.h>
#include <unistd.h>

using namespace support;
using trio::open_signal_receiver;
using trio::SignalReceiver;
using trio::testing::assert_checkpoints;
using trio::testing::wait_all_tasks_blocked;

namespace {

std::vector<int> handled;

void remember(int signal) { handled.push_back(signal); }

// A disposition of a signal, for a test.
class Disposition {
 public:
  Disposition(int signal, void (*handler)(int)) : signal_(signal) {
    struct sigaction action = {};
    action.sa_handler = handler;
    sigaction(signal_, &action, &before_);
    handled.clear();
    // A handler must not allocate.
    handled.reserve(8);
  }

  Disposition(Disposition const&) = delete;
  Disposition& operator=(Disposition const&) = delete;

  ~Disposition() { sigaction(signal_, &before_, nullptr); }

 private:
  int signal_;
  struct sigaction before_ = {};
};

bool is_handled_by(int signal, void (*handler)(int)) {
  struct sigaction present = {};
  sigaction(signal, nullptr, &present);
  return present.sa_handler == handler;
}

}  // namespace

TEST_CASE("a receiver gets its signals, and counts those that come again once [si:17]") {
  Disposition const before(SIGUSR1, remember);
  run([] {
    {
      auto signals = open_signal_receiver({SIGUSR1});
      CHECK(signals.pending() == 0);
      raise(SIGUSR1);
      raise(SIGUSR1);
      wait_all_tasks_blocked();
      raise(SIGUSR1);
      CHECK(signals.pending() == 1);
      CHECK(signals.receive() == SIGUSR1);
      CHECK(signals.pending() == 0);
      raise(SIGUSR1);
      for (int signal : signals) {
        CHECK(signal == SIGUSR1);
        break;
      }
      CHECK(signals.pending() == 0);
    }
    CHECK(is_handled_by(SIGUSR1, remember));
    CHECK(handled.empty());
  });
}

TEST_CASE("a task that waits for a signal is woken by it, from whichever thread") {
  trio::run([] {
    auto signals = open_signal_receiver({SIGUSR1});
    std::optional<std::thread> sender;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        wait_all_tasks_blocked();
        raise(SIGUSR1);
      });
      CHECK(signals.receive() == SIGUSR1);
      nursery.start_soon([&] {
        wait_all_tasks_blocked();
        sender.emplace([] { raise(SIGUSR1); });
      });
      CHECK(signals.receive() == SIGUSR1);
    });
    sender->join();
  });
}

TEST_CASE("receive is a checkpoint, and cancelled takes nothing") {
  run([] {
    auto signals = open_signal_receiver({SIGUSR1});
    raise(SIGUSR1);
    assert_checkpoints([&] { signals.receive(); });
    raise(SIGUSR1);
    trio::CancelScope scope;
    scope.cancel();
    CHECK(scope.enter([&] { signals.receive(); }).cut_short);
    CHECK(signals.pending() == 1);
    CHECK(signals.receive() == SIGUSR1);
    CHECK(trio::move_on_after(1s, [&] { signals.receive(); }).cut_short);
    raise(SIGUSR1);
    CHECK(signals.receive() == SIGUSR1);
  });
}

TEST_CASE("signals are received in the order in which they came, and starve no other [si:93]") {
  run([] {
    auto signals = open_signal_receiver({SIGUSR1, SIGUSR2});
    raise(SIGUSR2);
    raise(SIGUSR1);
    std::vector<int> received;
    for (int signal : signals) {
      received.push_back(signal);
      if (received.size() == 6) break;
      raise(signal);
    }
    CHECK(received == std::vector<int>{SIGUSR2, SIGUSR1, SIGUSR2, SIGUSR1, SIGUSR2, SIGUSR1});
    raise(SIGUSR1);
    signals.receive();
    signals.receive();
  });
}

TEST_CASE("two tasks cannot wait for the signals of one receiver [si:76]") {
  run([] {
    auto signals = open_signal_receiver({SIGUSR1});
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { signals.receive(); });
      wait_all_tasks_blocked();
      CHECK_THROWS_AS(signals.receive(), trio::BusyResourceError);
      raise(SIGUSR1);
    });
    raise(SIGUSR1);
    CHECK(signals.receive() == SIGUSR1);
  });
}

TEST_CASE("what was not received does at the end what it would have done before [si:124]") {
  run([] {
    {
      Disposition const usr1(SIGUSR1, remember);
      Disposition const usr2(SIGUSR2, remember);
      {
        auto signals = open_signal_receiver({SIGUSR1, SIGUSR2});
        raise(SIGUSR2);
        raise(SIGUSR1);
        CHECK(handled.empty());
      }
      CHECK(handled == std::vector<int>{SIGUSR2, SIGUSR1});
    }
    Disposition const ignored(SIGUSR1, SIG_IGN);
    {
      auto signals = open_signal_receiver({SIGUSR1});
      raise(SIGUSR1);
      CHECK(signals.pending() == 1);
    }
    CHECK(is_handled_by(SIGUSR1, SIG_IGN));
  });
}

TEST_CASE("of several receivers of a signal the youngest gets it, in whatever order they go") {
  Disposition const before(SIGUSR1, remember);
  run([] {
    auto oldest = std::make_unique<SignalReceiver>(open_signal_receiver({SIGUSR1}));
    auto middle = std::make_unique<SignalReceiver>(open_signal_receiver({SIGUSR1}));
    auto youngest = std::make_unique<SignalReceiver>(open_signal_receiver({SIGUSR1}));
    raise(SIGUSR1);
    CHECK(oldest->pending() == 0);
    CHECK(middle->pending() == 0);
    CHECK(youngest->pending() == 1);
    middle.reset();
    // Not received here: handed down.
    youngest.reset();
    CHECK(oldest->pending() == 1);
    youngest = std::make_unique<SignalReceiver>(open_signal_receiver({SIGUSR1}));
    oldest.reset();
    CHECK(youngest->pending() == 1);
    CHECK(youngest->receive() == SIGUSR1);
    youngest.reset();
    CHECK(is_handled_by(SIGUSR1, remember));
    CHECK(handled.empty());
  });
}

TEST_CASE("a receiver of SIGINT keeps it from the main task") {
  Disposition const plain(SIGINT, SIG_DFL);
  trio::run([] {
    {
      auto signals = open_signal_receiver({SIGINT});
      raise(SIGINT);
      trio::lowlevel::checkpoint();
      CHECK(signals.receive() == SIGINT);
      raise(SIGINT);
      trio::lowlevel::checkpoint();
    }
    CHECK_THROWS_AS(trio::lowlevel::checkpoint(), trio::Interrupted);
  });
}

TEST_CASE("a list with a signal that cannot be received changes nothing [si:50]") {
  Disposition const before(SIGUSR1, remember);
  run([] {
    for (int const bad : {SIGKILL, SIGSTOP, 0, -1, 1000}) {
      auto const error = thrown_by([bad] {
        static_cast<void>(open_signal_receiver({SIGUSR1, bad, SIGUSR2}));
      });
      CHECK(matches(error, of<std::system_error>()));
      CHECK(is_handled_by(SIGUSR1, remember));
      CHECK(is_handled_by(SIGUSR2, SIG_DFL));
    }
    CHECK_THROWS_AS(static_cast<void>(open_signal_receiver({})), std::invalid_argument);
  });
}

TEST_CASE("a signal named twice is received once and restored [si:60]") {
  Disposition const before(SIGUSR1, remember);
  run([] {
    {
      auto signals = open_signal_receiver({SIGUSR1, SIGUSR1});
      raise(SIGUSR1);
      CHECK(signals.pending() == 1);
      signals.receive();
    }
    CHECK(is_handled_by(SIGUSR1, remember));
  });
}

TEST_CASE("a receiver may be moved, and may go after its run") {
  Disposition const before(SIGUSR1, remember);
  std::optional<SignalReceiver> kept;
  run([&] {
    auto signals = open_signal_receiver({SIGUSR1});
    kept.emplace(std::move(signals));
    CHECK_THROWS_AS(signals.receive(), trio::MisuseError);
    CHECK(signals.pending() == 0);
    raise(SIGUSR1);
    CHECK(kept->receive() == SIGUSR1);
  });
  raise(SIGUSR1);
  CHECK(handled.empty());
  kept.reset();
  CHECK(handled == std::vector<int>{SIGUSR1});
}

TEST_CASE("a receiver that goes while a task waits in it wakes that task") {
  Disposition const before(SIGUSR1, remember);
  trio::RunOptions options;
  options.poll_every_pass = true;
  for (bool const signal_came : {false, true})
    trio::run(options, [&] {
      std::optional<SignalReceiver> signals(open_signal_receiver({SIGUSR1}));
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([&] { CHECK_THROWS_AS(signals->receive(), trio::ClosedResourceError); });
        wait_all_tasks_blocked();
        if (signal_came) {
          raise(SIGUSR1);
          // The other task is woken, but has not run yet.
          trio::lowlevel::checkpoint();
        }
        signals.reset();
      });
    });
  // Not received: what it would have done before.
  CHECK(handled == std::vector<int>{SIGUSR1});
}

TEST_CASE("a receiver may take the place of another") {
  Disposition const before(SIGUSR1, remember);
  run([] {
    auto signals = open_signal_receiver({SIGUSR1});
    raise(SIGUSR1);
    signals = open_signal_receiver({SIGUSR1, SIGUSR2});
    CHECK(signals.receive() == SIGUSR1);
    raise(SIGUSR2);
    CHECK(signals.receive() == SIGUSR2);
  });
  CHECK(is_handled_by(SIGUSR1, remember));
  CHECK(is_handled_by(SIGUSR2, SIG_DFL));
}

TEST_CASE("after a receiver of SIGINT that outlived its run, the next run has SIGINT again") {
  Disposition const plain(SIGINT, SIG_DFL);
  std::optional<SignalReceiver> kept;
  trio::run([&] { kept.emplace(open_signal_receiver({SIGINT})); });
  kept.reset();
  trio::run([] {
    raise(SIGINT);
    CHECK_THROWS_AS(trio::lowlevel::checkpoint(), trio::Interrupted);
  });
  CHECK(is_handled_by(SIGINT, SIG_DFL));
}

TEST_CASE("hidden: SIGINT after a receiver that outlived its run" * doctest::skip()) {
  std::optional<SignalReceiver> kept;
  Disposition const plain(SIGINT, SIG_DFL);
  trio::run([&] { kept.emplace(open_signal_receiver({SIGINT})); });
  kept.reset();
  raise(SIGINT);
}

TEST_CASE("after a receiver of SIGINT that outlived its run, SIGINT ends the program again") {
  check_died_of(run_hidden_case("hidden: SIGINT after a receiver that outlived its run"), SIGINT);
}

TEST_CASE("open_signal_receiver needs a run") {
  CHECK_THROWS_AS(static_cast<void>(open_signal_receiver({SIGUSR1})), trio::MisuseError);
}
