// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace std::chrono_literals;
using trio::lowlevel::checkpoint;
using trio::lowlevel::notify_closing;
using trio::lowlevel::notify_readable;
using trio::lowlevel::notify_readable_soon;
using trio::lowlevel::wait_readable;
using trio::lowlevel::wait_writable;
using trio::testing::wait_all_tasks_blocked;

namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) { REQUIRE(fd >= 0); }

  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

  ~Descriptor() { close(); }

  operator int() const noexcept { return fd_; }

  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

// Two connected, non-blocking sockets.
struct Pair {
  Pair() : Pair(make()) {}

  Descriptor a, b;

 private:
  explicit Pair(std::array<int, 2> const& ends) : a(ends[0]), b(ends[1]) {}

  static std::array<int, 2> make() {
    std::array<int, 2> ends{-1, -1};
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
    return ends;
  }
};

void put(int fd) { REQUIRE(write(fd, "x", 1) == 1); }

void fill(int fd) {
  std::array<char, 65536> const junk{};
  while (write(fd, junk.data(), junk.size()) > 0) {}
  REQUIRE(errno == EAGAIN);
}

// Everything there is.
std::size_t drain(int fd) {
  std::array<char, 65536> buffer{};
  std::size_t all = 0;
  for (ssize_t got = 0; (got = read(fd, buffer.data(), buffer.size())) > 0;)
    all += static_cast<std::size_t>(got);
  return all;
}

// The waits that a test is done for, both directions; each can be told whether it may go on.
struct Way {
  char const* name;
  void (*wait)(int fd);
  // Makes `pair.a` so that the wait waits; so that it does not.
  void (*block)(Pair& pair);
  void (*unblock)(Pair& pair);
};

std::vector<Way> const ways = {
    {"reading", wait_readable, [](Pair& pair) { drain(pair.a); }, [](Pair& pair) { put(pair.b); }},
    {"writing", wait_writable, [](Pair& pair) { fill(pair.a); }, [](Pair& pair) { drain(pair.b); }},
};

template <class F> void for_both_ways(F&& test) {
  for (Way const& way : ways) {
    CAPTURE(way.name);
    Pair pair;
    trio::run([&] { test(way, pair); });
  }
}

// Swallows what an operating system that was pulled the descriptor from under may say.
std::function<void()> whatever(void (*wait)(int), int fd) {
  return [wait, fd] {
    try {
      wait(fd);
    } catch (std::system_error const&) {}
  };
}

}  // namespace

TEST_CASE("a wait ends at once if the descriptor is ready, and is a checkpoint [IO:96]") {
  for_both_ways([](Way const& way, Pair& pair) {
    way.unblock(pair);
    trio::testing::assert_checkpoints([&] { way.wait(pair.a); });
    // Level-triggered: it still is.
    way.wait(pair.a);
  });
}

TEST_CASE("a wait lasts until the descriptor becomes ready [IO:96]") {
  for_both_ways([](Way const& way, Pair& pair) {
    for (int round = 0; round < 3; ++round) {
      way.block(pair);
      bool done = false;
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([&] {
          way.wait(pair.a);
          done = true;
        });
        wait_all_tasks_blocked();
        CHECK(!done);
        way.unblock(pair);
        wait_all_tasks_blocked();
        CHECK(done);
      });
    }
  });
}

TEST_CASE("a cancelled wait ends and leaves the descriptor free [IO:96]") {
  for_both_ways([](Way const& way, Pair& pair) {
    way.block(pair);
    for (int round = 0; round < 3; ++round) {
      bool cancelled = false;
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([&] {
          try {
            way.wait(pair.a);
          } catch (trio::Cancelled const&) {
            cancelled = true;
            throw;
          }
        });
        wait_all_tasks_blocked();
        nursery.cancel_scope().cancel();
      });
      CHECK(cancelled);
    }
    way.unblock(pair);
    way.wait(pair.a);
  });
}

TEST_CASE("a wait in a cancelled scope throws though the descriptor is ready") {
  for_both_ways([](Way const& way, Pair& pair) {
    way.unblock(pair);
    trio::CancelScope scope;
    auto const outcome = scope.enter([&] {
      scope.cancel();
      way.wait(pair.a);
    });
    CHECK(outcome.cut_short);
  });
}

TEST_CASE("a wait may have a deadline") {
  Pair pair;
  support::run([&] {
    auto const start = trio::current_time();
    auto const outcome = trio::move_on_after(5s, [&] { wait_readable(pair.a); });
    CHECK(outcome.cut_short);
    CHECK(trio::current_time() - start == 5s);
  });
}

TEST_CASE("two tasks may not wait for the same end of one descriptor [IO:166]") {
  for_both_ways([](Way const& way, Pair& pair) {
    way.block(pair);
    bool done = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        way.wait(pair.a);
        done = true;
      });
      wait_all_tasks_blocked();
      CHECK_THROWS_AS(way.wait(pair.a), trio::BusyResourceError);
      // The first is not disturbed.
      wait_all_tasks_blocked();
      CHECK(!done);
      way.unblock(pair);
    });
    way.wait(pair.a);
  });
}

TEST_CASE("one task may wait to read and another to write one descriptor [IO:216]") {
  Pair pair;
  trio::run([&] {
    fill(pair.a);
    std::vector<std::string> record;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        wait_readable(pair.a);
        record.push_back("readable");
      });
      nursery.start_soon([&] {
        wait_writable(pair.a);
        record.push_back("writable");
      });
      wait_all_tasks_blocked();
      CHECK(record.empty());
      put(pair.b);
      wait_all_tasks_blocked();
      CHECK(record == std::vector<std::string>{"readable"});
      drain(pair.b);
      wait_all_tasks_blocked();
      CHECK(record == std::vector<std::string>{"readable", "writable"});
    });
  });
}

TEST_CASE("cancelling one of two waits on a descriptor leaves the other waiting") {
  for (bool cancel_reader : {true, false}) {
    CAPTURE(cancel_reader);
    Pair pair;
    trio::run([&] {
      fill(pair.a);
      trio::CancelScope scope;
      bool done = false;
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([&] {
          auto const outcome =
              scope.enter([&] { (cancel_reader ? wait_readable : wait_writable)(pair.a); });
          CHECK(outcome.cut_short);
        });
        nursery.start_soon([&] {
          (cancel_reader ? wait_writable : wait_readable)(pair.a);
          done = true;
        });
        wait_all_tasks_blocked();
        scope.cancel();
        wait_all_tasks_blocked();
        CHECK(!done);
        cancel_reader ? static_cast<void>(drain(pair.b)) : put(pair.b);
      });
      CHECK(done);
    });
  }
}

TEST_CASE("an event that nobody waits for any more is not reported over and over") {
  Pair pair;
  trio::run([&] {
    fill(pair.a);
    trio::CancelScope scope;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon(wait_writable, int{pair.a});
      nursery.start_soon([&] { support::within(scope, [&] { wait_readable(pair.a); }); });
      wait_all_tasks_blocked();
      scope.cancel();
      wait_all_tasks_blocked();
      // The descriptor is now readable, which concerns none.
      put(pair.b);
      wait_all_tasks_blocked();
      auto const before = trio::lowlevel::current_statistics().polls;
      for (int i = 0; i < 10; ++i) wait_all_tasks_blocked();
      CHECK(trio::lowlevel::current_statistics().polls - before <= 20);
      drain(pair.b);
    });
  });
}

TEST_CASE("notify_closing wakes both waits with ClosedResourceError [IO:195]") {
  Pair pair;
  trio::run([&] {
    fill(pair.a);
    int closed = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (auto wait : {wait_readable, wait_writable})
        nursery.start_soon([&, wait] {
          CHECK_THROWS_AS(wait(pair.a), trio::ClosedResourceError);
          ++closed;
        });
      wait_all_tasks_blocked();
      trio::testing::assert_no_checkpoints([&] { notify_closing(pair.a); });
      pair.a.close();
      CHECK(closed == 0);
      wait_all_tasks_blocked();
      CHECK(closed == 2);
    });
  });
}

TEST_CASE("notify_closing of a descriptor that nobody waits for does nothing") {
  Pair pair;
  trio::run([&] {
    notify_closing(pair.a);
    notify_closing(12345);
    put(pair.b);
    wait_readable(pair.a);
    notify_closing(pair.a);
    wait_readable(pair.a);
  });
}

TEST_CASE("the number of a closed descriptor may be used again at once") {
  trio::run([] {
    for (int round = 0; round < 3; ++round) {
      Pair first, second;
      int const number = first.a;
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon(
            [&] { CHECK_THROWS_AS(wait_readable(number), trio::ClosedResourceError); });
        wait_all_tasks_blocked();
        notify_closing(number);
        REQUIRE(dup2(second.a, number) == number);
        nursery.start_soon(wait_readable, number);
        wait_all_tasks_blocked();
        put(second.b);
      });
    }
  });
}

TEST_CASE("notify_readable wakes who waits to read, and only that") {
  Pair pair;
  trio::run([&] {
    fill(pair.a);
    std::vector<std::string> record;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        wait_readable(pair.a);
        record.push_back("readable");
      });
      nursery.start_soon([&] {
        wait_writable(pair.a);
        record.push_back("writable");
      });
      wait_all_tasks_blocked();
      trio::testing::assert_no_checkpoints([&] { notify_readable(pair.a); });
      // The second finds nobody.
      notify_readable(pair.a);
      notify_readable(pair.b);
      wait_all_tasks_blocked();
      CHECK(record == std::vector<std::string>{"readable"});
      drain(pair.b);
      wait_all_tasks_blocked();
      CHECK(record == std::vector<std::string>{"readable", "writable"});
    });
  });
}

TEST_CASE("after notify_readable a descriptor can be waited for as before") {
  Pair pair;
  trio::run([&] {
    int woken = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        for (; woken < 3; ++woken) wait_readable(pair.a);
      });
      for (int round = 0; round < 2; ++round) {
        wait_all_tasks_blocked();
        notify_readable(pair.a);
      }
      wait_all_tasks_blocked();
      CHECK(woken == 2);
      put(pair.b);
    });
  });
}

TEST_CASE("the other end's going away wakes both waits") {
  Pair pair;
  trio::run([&] {
    fill(pair.a);
    int woken = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (auto wait : {wait_readable, wait_writable})
        nursery.start_soon([&, wait] {
          wait(pair.a);
          ++woken;
        });
      wait_all_tasks_blocked();
      pair.b.close();
    });
    CHECK(woken == 2);
  });
}

TEST_CASE("the writing end of a pipe hears that nobody reads any more") {
  std::array<int, 2> ends{-1, -1};
  REQUIRE(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
  Descriptor reader(ends[0]), writer(ends[1]);
  trio::run([&] {
    fill(writer);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon(wait_writable, int{writer});
      wait_all_tasks_blocked();
      reader.close();
    });
  });
}

TEST_CASE("the end of what the other side writes wakes the reader") {
  Pair pair;
  trio::run([&] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon(wait_readable, int{pair.a});
      wait_all_tasks_blocked();
      shutdown(pair.b, SHUT_WR);
    });
    CHECK(drain(pair.a) == 0);
  });
}

TEST_CASE("a descriptor that cannot be watched is refused with the system's error") {
  Descriptor const file(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  trio::run([&] {
    for (auto wait : {wait_readable, wait_writable}) {
      auto const code_of = [&](int fd) {
        try {
          wait(fd);
        } catch (std::system_error const& error) {
          return error.code().value();
        }
        return 0;
      };
      CHECK(code_of(file) == EPERM);
      CHECK(code_of(-1) == EBADF);
      CHECK(code_of(54321) == EBADF);
      // No waiter is left behind: it is the same the second time, not "busy".
      CHECK(code_of(file) == EPERM);
    }
  });
}

TEST_CASE("more descriptors than one visit to the kernel reports are all served") {
  std::vector<Descriptor> descriptors;
  for (int i = 0; i < 300; ++i) descriptors.emplace_back(eventfd(0, EFD_CLOEXEC));
  trio::run([&] {
    int woken = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int fd : descriptors)
        nursery.start_soon([&woken, fd] {
          for (int i = 0; i < 3; ++i) wait_readable(fd);
          ++woken;
        });
      wait_all_tasks_blocked();
      for (int fd : descriptors) eventfd_write(fd, 1);
    });
    CHECK(woken == 300);
  });
}

TEST_CASE("bytes go through a pair of sockets in both directions at once [IO:232]") {
  Pair pair;
  trio::run([&] {
    constexpr std::size_t total = 4'000'000;
    auto const sender = [](int fd) {
      std::vector<char> const chunk(100'000, 'x');
      for (std::size_t sent = 0; sent < total;) {
        auto const wrote = write(fd, chunk.data(), std::min(chunk.size(), total - sent));
        if (wrote < 0)
          wait_writable(fd);
        else
          sent += static_cast<std::size_t>(wrote);
      }
      shutdown(fd, SHUT_WR);
    };
    std::size_t received = 0;
    auto const receiver = [&](int fd) {
      std::vector<char> buffer(30'000);
      for (;;) {
        auto const got = read(fd, buffer.data(), buffer.size());
        if (got == 0) break;
        if (got < 0)
          wait_readable(fd);
        else
          received += static_cast<std::size_t>(got);
      }
    };
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int fd : {int{pair.a}, int{pair.b}}) {
        nursery.start_soon(sender, fd);
        nursery.start_soon(receiver, fd);
      }
    });
    CHECK(received == 2 * total);
  });
}

TEST_CASE("a descriptor closed behind the loop's back wedges nothing [IO:425]") {
  trio::run([] {
    Pair pair;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon(whatever(wait_readable, pair.a));
      wait_all_tasks_blocked();
      pair.a.close();
      wait_all_tasks_blocked();
      nursery.cancel_scope().cancel();
    });
  });
}

TEST_CASE("a descriptor closed behind the loop's back while a copy lives wedges nothing [IO:425]") {
  trio::run([] {
    Pair pair;
    Descriptor const copy(dup(pair.a));
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon(whatever(wait_readable, pair.a));
      wait_all_tasks_blocked();
      pair.a.close();
      wait_all_tasks_blocked();
      nursery.cancel_scope().cancel();
    });
    // The kernel goes on reporting the old number; nothing must come of it.
    put(pair.b);
    wait_readable(copy);
    wait_all_tasks_blocked();
  });
}

TEST_CASE("two waits on a descriptor closed behind the loop's back can be cancelled [IO:425]") {
  trio::run([] {
    Pair pair;
    Descriptor const copy(dup(pair.a));
    fill(pair.a);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon(whatever(wait_readable, pair.a));
      nursery.start_soon(whatever(wait_writable, pair.a));
      wait_all_tasks_blocked();
      pair.a.close();
      nursery.cancel_scope().cancel();
    });
  });
}

TEST_CASE("an event on a descriptor closed behind the loop's back breaks nothing [IO:425]") {
  trio::run([] {
    Pair pair;
    Descriptor const copy(dup(pair.a));
    fill(pair.a);
    trio::Event settled;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon(whatever(wait_readable, pair.a));
      nursery.start_soon(whatever(wait_writable, pair.a));
      nursery.start_soon([&] {
        wait_readable(copy);
        settled.set();
      });
      wait_all_tasks_blocked();
      pair.a.close();
      put(pair.b);
      settled.wait();
      wait_all_tasks_blocked();
      nursery.cancel_scope().cancel();
    });
  });
}

TEST_CASE("a wait that the system refuses to renew ends with the system's error") {
  trio::run([] {
    Pair pair;
    Descriptor const copy(dup(pair.a));
    fill(pair.a);
    bool refused = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon(wait_readable, int{pair.a});
      nursery.start_soon([&, fd = int{pair.a}] {
        try {
          wait_writable(fd);
        } catch (std::system_error const& error) {
          refused = error.code().value() == EBADF;
        }
      });
      wait_all_tasks_blocked();
      pair.a.close();
      put(pair.b);
    });
    CHECK(refused);
  });
}

TEST_CASE("a number closed behind the loop's back may serve another descriptor [IO:425]") {
  trio::run([] {
    Pair first, second;
    Descriptor const copy(dup(first.a));
    int const number = first.a;
    trio::CancelScope scope;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { support::within(scope, [&] { wait_readable(number); }); });
      wait_all_tasks_blocked();
      // The old file keeps its place in the kernel's list, under the same number.
      REQUIRE(dup2(second.a, number) == number);
      scope.cancel();
      wait_all_tasks_blocked();
      put(second.b);
      wait_readable(number);
      drain(number);
      // And back to the old file.
      REQUIRE(dup2(copy, number) == number);
      put(first.b);
      wait_readable(number);
    });
  });
}

TEST_CASE("a number reopened while one waits on the old file serves who waits on the new") {
  trio::run([] {
    Pair first, second;
    Descriptor const copy(dup(first.a));
    int const number = first.a;
    fill(second.a);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon(whatever(wait_readable, number));
      wait_all_tasks_blocked();
      REQUIRE(dup2(second.a, number) == number);
      bool done = false;
      nursery.start_soon([&] {
        wait_writable(number);
        done = true;
      });
      wait_all_tasks_blocked();
      CHECK(!done);
      drain(second.b);
      wait_all_tasks_blocked();
      CHECK(done);
      nursery.cancel_scope().cancel();
    });
  });
}

TEST_CASE("waits need a task") {
  CHECK_THROWS_AS(wait_readable(0), trio::MisuseError);
  CHECK_THROWS_AS(wait_writable(0), trio::MisuseError);
  CHECK_THROWS_AS(notify_readable(0), trio::MisuseError);
}

TEST_CASE("a wait that is ended by hand is told so and leaves the descriptor free") {
  trio::run([] {
    Pair pair;
    trio::Task* waiter = nullptr;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        waiter = &trio::lowlevel::current_task();
        CHECK_THROWS_AS(wait_readable(pair.a), trio::MisuseError);
        CHECK_THROWS_AS(wait_readable(pair.a), support::KeyError);
        wait_readable(pair.a);
      });
      wait_all_tasks_blocked();
      trio::lowlevel::reschedule(*waiter);
      wait_all_tasks_blocked();
      trio::lowlevel::reschedule(*waiter, std::make_exception_ptr(support::KeyError()));
      wait_all_tasks_blocked();
      // Woken by hand and by the kernel in one pass, it goes on once.
      trio::lowlevel::reschedule(*waiter);
      notify_readable(pair.a);
      nursery.join();
    });
    // Nobody is left waiting there.
    notify_closing(pair.a);
    static_cast<void>(trio::move_on_after(0s, [&] { wait_readable(pair.a); }));
  });
}

TEST_CASE("outside of a run notify_closing does nothing: a socket may outlive its run") {
  Pair pair;
  trio::run([&] { wait_writable(pair.a); });
  notify_closing(pair.a);
  CHECK_THROWS_AS(notify_readable(pair.a), trio::MisuseError);
}

TEST_CASE("notify_readable_soon wakes who waits to read when the run looks for input, and once") {
  Pair pair;
  trio::run([&] {
    int woken = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      auto const wait = [&] {
        wait_readable(pair.a);
        ++woken;
      };
      // Nobody waits yet.
      notify_readable_soon(pair.a);
      nursery.start_soon(wait);
      wait_all_tasks_blocked();
      CHECK(woken == 0);
      auto const looks = trio::lowlevel::looks_for_input();
      trio::testing::assert_no_checkpoints([&] {
        for (int i = 0; i < 3; ++i) notify_readable_soon(pair.a);
      });
      while (trio::lowlevel::looks_for_input() == looks) {
        CHECK(woken == 0);
        checkpoint();
      }
      checkpoint();
      CHECK(woken == 1);
      // Who comes after that one has left by another way is not meant.
      trio::CancelScope scope;
      nursery.start_soon([&] {
        notify_readable_soon(pair.a);
        scope.cancel();
      });
      static_cast<void>(scope.enter([&] { wait_readable(pair.a); }));
      CHECK(scope.cancelled_caught());
      nursery.start_soon(wait);
      wait_all_tasks_blocked();
      CHECK(woken == 1);
      // Nothing is ready: the run does not sleep.
      nursery.start_soon([&] { notify_readable_soon(pair.a); });
      trio::fail_after(1s, [&] {
        while (woken == 1) trio::sleep(1ms);
      });
    });
  });
}
