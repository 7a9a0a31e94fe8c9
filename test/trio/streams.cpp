// SPDX-License-Identifier: BSL-1.0
#include "../sanitized.hpp"
#include "open_descriptors.hpp"
#include "stream_kinds.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace std::chrono_literals;
using trio::testing::wait_all_tasks_blocked;

namespace {

bool is_blocking(int fd) { return (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0; }

int option(int fd, int level, int name) {
  int value = 0;
  socklen_t length = sizeof value;
  REQUIRE(getsockopt(fd, level, name, &value, &length) == 0);
  return value;
}

trio::Descriptor duplicate(int fd) { return trio::Descriptor(fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

}  // namespace

TEST_CASE_TEMPLATE("every stream both ways keeps the promises of a stream", Kind,
                   support::SocketPairKind, support::UnixKind, support::TcpKind, support::Tcp6Kind,
                   support::MemoryKind, support::NarrowMemoryKind, support::TwoPipesKind,
                   support::TwoSocketsKind) {
  if (!support::is_here<Kind>()) return;
  support::run_with_timeout(
      [] { trio::testing::check_half_closeable_stream(Kind::make, Kind::make_clogged); });
}

TEST_CASE("a pipe keeps the promises of a stream") {
  using support::PipeKind;
  support::run_with_timeout(
      [] { trio::testing::check_one_way_stream(PipeKind::make, PipeKind::make_clogged); });
}

TEST_CASE_TEMPLATE("range-for receives piece by piece until the end", Kind, support::SocketPairKind,
                   support::TcpKind, support::MemoryKind, support::TwoPipesKind) {
  support::run_with_timeout([] {
    auto const ends = Kind::make();
    std::string const sent(300'000, 'x');
    std::string received;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        ends.first->send_all(sent);
        ends.first->send_eof();
      });
      for (std::string const& piece : *ends.second) received += piece;
    });
    CHECK(received == sent);
  });
}

TEST_CASE("a piece has the memory of what was received, not of what could have been") {
  trio::run([] {
    auto pair = trio::open_socket_pair();
    pair.first.send_all("x");
    CHECK(pair.second.receive_some().capacity() < 100);
    // AddressSanitizer ends the program where nothing is to be had, and so does valgrind.
    if (!support::sanitized && !support::under_valgrind())
      CHECK_THROWS_AS(static_cast<void>(pair.second.receive_some(trio::unbounded)), std::bad_alloc);
  });
}

TEST_CASE_TEMPLATE("a cancelled transfer hangs nowhere and leaks no descriptor", Kind,
                   support::SocketPairKind, support::UnixKind, support::TcpKind, support::Tcp6Kind,
                   support::MemoryKind, support::NarrowMemoryKind, support::TwoPipesKind,
                   support::TwoSocketsKind) {
  if (!support::is_here<Kind>()) return;
  auto const before = support::open_descriptors();
  std::uint64_t completed = 0;
  auto const scenario = [&] {
    {
      auto const ends = Kind::make();
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([&] {
          ends.first->wait_send_all_might_not_block();
          ends.first->send_all("ping");
          ends.first->send_eof();
        });
        nursery.start_soon([&] {
          std::string all;
          for (std::string const& piece : *ends.second) all += piece;
          CHECK(all == "ping");
          ends.second->aclose();
        });
      });
    }
    ++completed;
  };
  for (auto const disturb :
       {trio::testing::cancel_at_every_checkpoint, trio::testing::interrupt_at_every_checkpoint}) {
    completed = 0;
    CHECK(disturb(scenario, {}) >= 4);
    CHECK(completed >= 1);
    CHECK(support::open_descriptors() == before);
  }
}

TEST_CASE("to write into a pipe that nobody reads is an error and no SIGPIPE") {
  // doctest has a handler for it: look at what remains pending instead.
  sigset_t pipe_signal;
  sigset_t before;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  auto const is_pending = [] {
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, SIGPIPE) == 1;
  };
  auto const send = [] {
    trio::run([] {
      auto pipe = trio::open_pipe();
      pipe.receiver.close();
      CHECK_THROWS_AS(pipe.sender.send_all("x"), trio::BrokenResourceError);
    });
  };
  send();

  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  send();
  CHECK(!is_pending());
  // One that came from elsewhere stays.
  raise(SIGPIPE);
  send();
  CHECK(is_pending());
  timespec const now = {};
  CHECK(sigtimedwait(&pipe_signal, nullptr, &now) == SIGPIPE);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_CASE("a descriptor is non-blocking only as long as it is a stream's") {
  trio::run([] {
    std::array<int, 2> ends{};
    REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
    trio::Descriptor const other_reader = duplicate(ends[0]);
    trio::Descriptor const writer(ends[1]);
    {
      trio::FdReceiveStream stream{trio::Descriptor(ends[0])};
      CHECK(!is_blocking(other_reader.get()));
      // The writing end is something else.
      CHECK(is_blocking(writer.get()));
      trio::FdReceiveStream const moved = std::move(stream);
      CHECK(!is_blocking(other_reader.get()));
    }
    CHECK(is_blocking(other_reader.get()));

    fcntl(other_reader.get(), F_SETFL, O_NONBLOCK);
    trio::FdReceiveStream(duplicate(other_reader.get())).close();
    CHECK(!is_blocking(other_reader.get()));
  });
}

TEST_CASE("a stream needs a descriptor, and a SocketStream a connected stream socket") {
  CHECK_THROWS_AS(trio::FdReceiveStream(trio::Descriptor{}), std::system_error);
  CHECK_THROWS_AS(trio::SocketStream(trio::Descriptor{}), std::system_error);
  CHECK_THROWS_AS(trio::SocketStream(trio::Descriptor(open("/dev/null", O_RDWR | O_CLOEXEC))),
                  std::system_error);
  CHECK_THROWS_AS(
      trio::SocketStream(trio::Descriptor(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0))),
      std::invalid_argument);
}

TEST_CASE("a stream that was moved from is closed, and the other goes on") {
  trio::run([] {
    auto pair = trio::open_socket_pair();
    auto moved = std::move(pair.first);
    CHECK_THROWS_AS(pair.first.send_all("x"), trio::ClosedResourceError);
    CHECK_THROWS_AS(static_cast<void>(pair.first.receive_some(1)), trio::ClosedResourceError);
    CHECK(pair.first.fd() == -1);
    moved.send_all("x");
    CHECK(pair.second.receive_some(1) == "x");

    // Assigning closes what was there.
    auto other = trio::open_socket_pair();
    moved = std::move(other.first);
    CHECK(pair.second.receive_some(1).empty());
    moved.send_all("y");
    CHECK(other.second.receive_some(1) == "y");
  });
}

TEST_CASE("after send_eof a stream that is moved still does not send") {
  trio::run([] {
    auto pair = trio::open_socket_pair();
    pair.first.send_eof();
    auto moved = std::move(pair.first);
    CHECK_THROWS_AS(moved.send_all("x"), trio::ClosedResourceError);
    CHECK_THROWS_AS(moved.send_all(""), trio::ClosedResourceError);
    CHECK_THROWS_AS(moved.wait_send_all_might_not_block(), trio::ClosedResourceError);
  });
}

TEST_CASE("a stream closed after its task was woken makes no call on the descriptor") {
  support::run_with_timeout([] {
    for (bool reading : {true, false}) {
      CAPTURE(reading);
      auto pair = trio::open_socket_pair();
      auto signal = trio::open_pipe();
      if (!reading) support::clog(pair.first);
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([&] {
          if (reading)
            CHECK_THROWS_AS(static_cast<void>(pair.first.receive_some(10)),
                            trio::ClosedResourceError);
          else
            CHECK_THROWS_AS(pair.first.send_all("x"), trio::ClosedResourceError);
        });
        nursery.start_soon([&] {
          static_cast<void>(signal.receiver.receive_some(10));
          pair.first.close();
        });
        wait_all_tasks_blocked();
        // Both are ready in the same pass, and the one that closes runs first.
        signal.sender.send_all("now");
        std::array<char, 100'000> buffer{};
        if (reading)
          REQUIRE(write(pair.second.fd(), "x", 1) == 1);
        else
          while (read(pair.second.fd(), buffer.data(), buffer.size()) > 0) {}
      });
    }
  });
}

TEST_CASE("a connection that was reset is broken for who receives") {
  support::run_with_timeout([] {
    auto ends = support::TcpKind::make();
    auto& aborting = dynamic_cast<trio::SocketStream&>(*ends.first);
    linger const at_once = {1, 0};
    REQUIRE(setsockopt(aborting.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        try {
          static_cast<void>(ends.second->receive_some(10));
          FAIL("a reset connection gave something");
        } catch (trio::BrokenResourceError const& error) {
          CHECK(std::string(error.what()) ==
                "trio: the stream is broken: Connection reset by peer");
        }
      });
      wait_all_tasks_blocked();
      aborting.close();
    });
  });
}

TEST_CASE("TCP sends at once and buffers little") {
  support::run_with_timeout([] {
    auto const ends = support::TcpKind::make();
    for (auto* end : {ends.first.get(), ends.second.get()}) {
      int const fd = dynamic_cast<trio::SocketStream&>(*end).fd();
      CHECK(option(fd, IPPROTO_TCP, TCP_NODELAY) == 1);
      CHECK(option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT) == 16 * 1024);
      CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    }
  });
}

TEST_CASE("what a descriptor's stream reads may be a regular file") {
  trio::run([] {
    trio::FdReceiveStream stream(trio::Descriptor(open("/proc/self/comm", O_RDONLY | O_CLOEXEC)));
    std::string name;
    for (std::string const& piece : stream) name += piece;
    CHECK(name.ends_with("\n"));
  });
}

TEST_CASE("what a descriptor's stream writes may be what never lets anybody wait") {
  trio::run([] {
    trio::FdSendStream stream(trio::Descriptor(open("/dev/null", O_WRONLY | O_CLOEXEC)));
    trio::testing::assert_checkpoints([&] { stream.wait_send_all_might_not_block(); });
    stream.send_all("x");
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        CHECK_THROWS_AS(stream.wait_send_all_might_not_block(), trio::ClosedResourceError);
      });
      nursery.start_soon([&] { stream.close(); });
    });
  });
}

TEST_CASE("send_eof of a stapled stream ends what the other end receives, not what it sends") {
  trio::run([] {
    auto const ends = support::TwoPipesKind::make();
    ends.first->send_eof();
    CHECK(ends.second->receive_some(10).empty());
    ends.second->send_all("x");
    CHECK(ends.first->receive_some(10) == "x");
  });
}

TEST_CASE("a stapled stream closes both its streams, though the farewell of one be cut short") {
  trio::run([] {
    auto there = trio::open_pipe();
    auto back = trio::open_pipe();
    trio::StapledStream stream(std::move(there.sender), std::move(back.receiver));
    trio::CancelScope scope;
    scope.cancel();
    CHECK(scope.enter([&] { stream.aclose(); }).cut_short);
    CHECK(stream.send_stream().fd() == -1);
    CHECK(stream.receive_stream().fd() == -1);
  });
}

TEST_CASE("a memory stream without room is refused") {
  CHECK_THROWS_AS(trio::testing::memory_stream_pair(0), std::invalid_argument);
}

TEST_CASE("streams may outlive their run") {
  auto pair = trio::run([] { return trio::open_socket_pair(); });
  trio::run([&] {
    pair.first.send_all("x");
    CHECK(pair.second.receive_some(1) == "x");
  });
}
