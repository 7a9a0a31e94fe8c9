// SPDX-License-Identifier: BSL-1.0
#include "../no_more_descriptors.hpp"
#include "open_descriptors.hpp"
#include "stream_kinds.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace std::chrono_literals;
using support::TemporaryDirectory;
using trio::SocketAddress;
using trio::testing::wait_all_tasks_blocked;

namespace {

void echo(trio::SocketStream& stream) {
  for (std::string const& piece : stream) stream.send_all(piece);
}

// What comes back for it.
std::string ask(SocketAddress const& address, std::string const& question) {
  trio::SocketStream stream = trio::open_socket_stream(address);
  stream.send_all(question);
  stream.send_eof();
  std::string answer;
  for (std::string const& piece : stream) answer += piece;
  return answer;
}

template <class F> int error_of(F&& fn) {
  try {
    fn();
  } catch (std::system_error const& error) {
    return error.code().value();
  }
  return 0;
}

// Leaves a name behind as a process does that is killed.
void leave_socket_at(std::string const& path) {
  trio::Descriptor const dead(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  auto const address = SocketAddress::unix_path(path);
  REQUIRE(bind(dead.get(), address.get(), address.length()) == 0);
  REQUIRE(listen(dead.get(), 1) == 0);
}

}  // namespace

TEST_CASE("an address is numeric, or a path, and can be shown") {
  auto const four = SocketAddress::ip("127.0.0.1", 80);
  CHECK(four.family() == AF_INET);
  CHECK(four.host() == "127.0.0.1");
  CHECK(four.port() == 80);
  CHECK(describe(four) == "127.0.0.1:80");
  CHECK(four == SocketAddress::ip("127.0.0.1", 80));
  CHECK(!(four == SocketAddress::ip("127.0.0.1", 81)));

  auto const six = SocketAddress::ip("::1", 8080);
  CHECK(six.family() == AF_INET6);
  CHECK(describe(six) == "[::1]:8080");

  auto const path = SocketAddress::unix_path("/tmp/x");
  CHECK(path.family() == AF_UNIX);
  CHECK(path.host() == "/tmp/x");
  CHECK(path.port() == 0);
  CHECK(describe(path) == "unix:/tmp/x");
  CHECK(describe(SocketAddress::unix_path(std::string_view("\0x", 2))) == "unix:@x");
  CHECK(describe(SocketAddress()) == "(no address)");
  trio::run([] {
    auto const pair = trio::open_socket_pair();
    CHECK(describe(pair.first.local_address()) == "unix:(unnamed)");
  });
}

TEST_CASE("what is no address is refused") {
  CHECK_THROWS_AS(SocketAddress::ip("localhost", 80), std::invalid_argument);
  CHECK(!SocketAddress::try_ip("localhost", 80));
  CHECK_THROWS_AS(SocketAddress::unix_path(""), std::invalid_argument);
  CHECK_THROWS_AS(SocketAddress::unix_path(std::string(108, 'x')), std::invalid_argument);
  // The kernel and the C library would take what comes before.
  CHECK_THROWS_AS(SocketAddress::unix_path(std::string("/tmp/a\0b", 8)), std::invalid_argument);
  CHECK(!SocketAddress::try_ip(std::string("127.0.0.1\0.example.org", 22), 80));
  CHECK(SocketAddress::unix_path(std::string(107, 'x')).host().size() == 107);
}

TEST_CASE("a listener needs a stream socket that listens") {
  CHECK_THROWS_AS(trio::SocketListener(trio::Descriptor{}), std::system_error);
  CHECK_THROWS_AS(
      trio::SocketListener(trio::Descriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))),
      std::invalid_argument);
}

TEST_CASE("a listener accepts who connects, also before it does") {
  support::run_with_timeout([] {
    TemporaryDirectory const directory;
    auto listener = trio::open_unix_listener(directory / "socket");
    CHECK(listener.local_address() == SocketAddress::unix_path(directory / "socket"));
    auto first = trio::open_unix_socket(directory / "socket");
    auto second = trio::open_unix_socket(directory / "socket");
    CHECK(describe(second.remote_address()) == "unix:" + (directory / "socket"));
    trio::testing::assert_checkpoints([&] {
      auto accepted = listener.accept();
      first.send_all("1");
      CHECK(accepted.receive_some(1) == "1");
      CHECK((fcntl(accepted.fd(), F_GETFD) & FD_CLOEXEC) != 0);
    });
    auto accepted = listener.accept();
    second.send_all("2");
    CHECK(accepted.receive_some(1) == "2");
  });
}

TEST_CASE("two tasks may not accept at once, and closing a listener wakes who accepts") {
  support::run_with_timeout([] {
    TemporaryDirectory const directory;
    auto listener = trio::open_unix_listener(directory / "socket");
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { CHECK_THROWS_AS(listener.accept(), trio::ClosedResourceError); });
      wait_all_tasks_blocked();
      CHECK_THROWS_AS(listener.accept(), trio::BusyResourceError);
      listener.close();
      listener.close();
    });
    CHECK_THROWS_AS(listener.accept(), trio::ClosedResourceError);
    CHECK_THROWS_AS(listener.local_address(), trio::ClosedResourceError);
  });
}

TEST_CASE("a cancelled accept has taken no connection") {
  support::run_with_timeout([] {
    TemporaryDirectory const directory;
    auto listener = trio::open_unix_listener(directory / "socket");
    auto client = trio::open_unix_socket(directory / "socket");
    trio::CancelScope scope;
    scope.cancel();
    CHECK(scope.enter([&] { static_cast<void>(listener.accept()); }).cut_short);
    client.send_all("x");
    CHECK(listener.accept().receive_some(1) == "x");
  });
}

TEST_CASE("a Unix socket's name goes with its listener") {
  trio::run([] {
    TemporaryDirectory const directory;
    std::string const path = directory / "socket";
    {
      auto listener = trio::open_unix_listener(path);
      auto const moved = std::move(listener);
      listener = trio::open_unix_listener(directory / "other");
      CHECK(std::filesystem::exists(path));
    }
    CHECK(!std::filesystem::exists(path));
    CHECK(!std::filesystem::exists(directory / "other"));
  });
}

TEST_CASE("a name that somebody has put in its place is left alone") {
  trio::run([] {
    TemporaryDirectory const directory;
    std::string const path = directory / "socket";
    auto listener = trio::open_unix_listener(path);
    unlink(path.c_str());
    leave_socket_at(path);
    listener.close();
    CHECK(std::filesystem::exists(path));
  });
}

TEST_CASE("the name of a dead process is taken over, that of a live one or of a file is not") {
  support::run_with_timeout([] {
    TemporaryDirectory const directory;
    std::string const path = directory / "socket";
    leave_socket_at(path);
    {
      auto const listener = trio::open_unix_listener(path);
      CHECK(error_of([&] { static_cast<void>(trio::open_unix_listener(path)); }) == EADDRINUSE);
      CHECK(std::filesystem::exists(path));
    }
    std::ofstream(path) << "precious";
    CHECK(error_of([&] { static_cast<void>(trio::open_unix_listener(path)); }) == EEXIST);
    CHECK(std::filesystem::file_size(path) == 8);
  });
}

TEST_CASE("a name that is somebody's in another way is not taken over") {
  trio::run([] {
    TemporaryDirectory const directory;
    std::string const path = directory / "socket";
    {
      // As a system's log has: nobody can connect to it as to a stream.
      trio::Descriptor const live(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      auto const address = SocketAddress::unix_path(path);
      REQUIRE(bind(live.get(), address.get(), address.length()) == 0);
      CHECK(error_of([&] { static_cast<void>(trio::open_unix_listener(path)); }) == EADDRINUSE);
      CHECK(std::filesystem::exists(path));
    }
    unlink(path.c_str());
    std::filesystem::create_symlink("nowhere", path);
    CHECK(error_of([&] { static_cast<void>(trio::open_unix_listener(path)); }) == EEXIST);
    CHECK(std::filesystem::is_symlink(path));
  });
}

TEST_CASE("two who would take over a name in a directory do so one after the other") {
  support::run([] {
    TemporaryDirectory const directory;
    trio::Descriptor other(open((directory / ".").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(flock(other.get(), LOCK_EX) == 0);
    bool listens = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        auto const listener = trio::open_unix_listener(directory / "socket");
        listens = true;
      });
      trio::sleep(1s);
      CHECK(!listens);
      other = trio::Descriptor();
      trio::sleep(1s);
      CHECK(listens);
    });
  });
}

TEST_CASE("an abstract name is in no file system") {
  support::run_with_timeout([] {
    std::string const name = std::string("\0trio-test-", 11) + std::to_string(getpid());
    auto listener = trio::open_unix_listener(name);
    CHECK(listener.local_address().host() == name);
    CHECK(error_of([&] { static_cast<void>(trio::open_unix_listener(name)); }) == EADDRINUSE);
    auto client = trio::open_unix_socket(name);
    client.send_all("x");
    CHECK(listener.accept().receive_some(1) == "x");
  });
}

TEST_CASE("connecting where nobody listens says where and why") {
  trio::run([] {
    TemporaryDirectory const directory;
    try {
      static_cast<void>(trio::open_unix_socket(directory / "nobody"));
      FAIL("connected to nobody");
    } catch (std::system_error const& error) {
      CHECK(error.code() == std::errc::no_such_file_or_directory);
      CHECK(std::string(error.what()) == "trio: cannot connect to unix:" + (directory / "nobody") +
                                             ": No such file or directory");
    }
  });
}

TEST_CASE("connecting to a Unix listener that is busy waits until there is room") {
  support::run([] {
    TemporaryDirectory const directory;
    std::string const path = directory / "socket";
    // Room for one.
    auto listener = trio::open_unix_listener(path, 0);
    auto const first = trio::open_unix_socket(path);
    bool connected = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        auto const second = trio::open_unix_socket(path);
        connected = true;
      });
      trio::sleep(1s);
      CHECK(!connected);
      auto const accepted = listener.accept();
      trio::sleep(1s);
      CHECK(connected);
    });
  });
}

TEST_CASE("serving runs a handler for each connection and closes its stream") {
  support::run_with_timeout([] {
    TemporaryDirectory const directory;
    trio::open_nursery([&](trio::Nursery& nursery) {
      auto const addresses = nursery.start(trio::serve_unix, echo, directory / "socket");
      REQUIRE(addresses.size() == 1);
      CHECK(addresses[0] == SocketAddress::unix_path(directory / "socket"));
      trio::open_nursery([&](trio::Nursery& clients) {
        for (int i = 0; i < 20; ++i)
          clients.start_soon([&addresses, i] {
            std::string const question(static_cast<std::size_t>(i) * 1000, 'x');
            CHECK(ask(addresses[0], question) == question);
          });
      });
      nursery.cancel_scope().cancel();
    });
    CHECK(!std::filesystem::exists(directory / "socket"));
  });
}

TEST_CASE("a handler's error ends the server") {
  support::run_with_timeout([] {
    TemporaryDirectory const directory;
    auto const error = support::thrown_by([&] {
      trio::open_nursery([&](trio::Nursery& nursery) {
        auto const addresses = nursery.start(
            trio::serve_unix, [](trio::SocketStream&) { throw support::KeyError(); },
            directory / "socket");
        auto const client = trio::open_socket_stream(addresses[0]);
        trio::sleep_forever();
      });
    });
    CHECK(matches(error, support::group(support::group(support::of<support::KeyError>()))));
  });
}

TEST_CASE("handlers in a nursery of their own finish after the server has stopped accepting") {
  support::run_with_timeout([] {
    TemporaryDirectory const directory;
    std::string const path = directory / "socket";
    trio::open_nursery([&](trio::Nursery& handlers) {
      trio::open_nursery([&](trio::Nursery& server) {
        std::vector<trio::SocketListener> listeners;
        listeners.push_back(trio::open_unix_listener(path));
        server.start(trio::serve_listeners, echo, std::move(listeners), &handlers);
        auto client = trio::open_unix_socket(path);
        client.send_all("x");
        CHECK(client.receive_some(1) == "x");
        handlers.start_soon(
            [](trio::SocketStream stream) {
              wait_all_tasks_blocked();
              stream.send_all("y");
              CHECK(stream.receive_some(1) == "y");
            },
            std::move(client));
        server.cancel_scope().cancel();
      });
      CHECK(!std::filesystem::exists(path));
      CHECK(handlers.child_task_count() == 2);
    });
  });
}

TEST_CASE("a server that has run out of descriptors tries again soon" *
          doctest::skip(support::under_valgrind())) {
  support::run([] {
    TemporaryDirectory const directory;
    trio::open_nursery([&](trio::Nursery& nursery) {
      auto const addresses = nursery.start(trio::serve_unix, echo, directory / "socket");
      auto client = trio::open_socket_stream(addresses[0]);
      auto const start = trio::current_time();
      {
        // The client came before, so that only the server misses something.
        NoMoreDescriptors const none;
        trio::sleep(450ms);
        client.send_all("x");
        CHECK(trio::move_on_after(20ms, [&] {
                static_cast<void>(client.receive_some(1));
              }).cut_short);
      }
      CHECK(client.receive_some(1) == "x");
      CHECK(trio::current_time() - start == 500ms);
      nursery.cancel_scope().cancel();
    });
  });
}

TEST_CASE("serving no listeners ends at once") {
  trio::run([] { trio::serve_listeners(echo, {}); });
}

TEST_CASE("a cancelled server or client hangs nowhere and leaves nothing behind") {
  TemporaryDirectory const directory;
  std::string const path = directory / "socket";
  auto const before = support::open_descriptors();
  std::uint64_t completed = 0;
  auto const scenario = [&] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      auto const addresses = nursery.start(trio::serve_unix, echo, path);
      // Not inside of CHECK, which keeps what is thrown.
      std::string const answer = ask(addresses[0], "ping");
      CHECK(answer == "ping");
      nursery.cancel_scope().cancel();
    });
    ++completed;
  };
  for (auto const disturb :
       {trio::testing::cancel_at_every_checkpoint, trio::testing::interrupt_at_every_checkpoint}) {
    completed = 0;
    CHECK(disturb(scenario, {}) >= 4);
    CHECK(completed >= 1);
    CHECK(support::open_descriptors() == before);
    CHECK(!std::filesystem::exists(path));
  }
}
