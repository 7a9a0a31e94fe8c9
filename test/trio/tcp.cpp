// SPDX-License-Identifier: BSL-1.0
#include "open_descriptors.hpp"
#include "support.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <netdb.h>
#include <sys/socket.h>

using namespace std::chrono_literals;
using trio::SocketAddress;

namespace {

void echo(trio::SocketStream& stream) {
  for (std::string const& piece : stream) stream.send_all(piece);
}

// A network in virtual time: what each address does when it is connected to, after how long.
class FakeNetwork {
 public:
  struct Host {
    std::string address;
    trio::Duration takes;
    bool answers;
  };

  explicit FakeNetwork(std::vector<Host> hosts) : hosts_(std::move(hosts)) {}

  // Connects to a name with all of these addresses.
  void open(trio::Duration delay = 250ms) {
    start_ = trio::current_time();
    trio::OpenTcpStreamOptions options;
    options.happy_eyeballs_delay = delay;
    options.resolve = [&](std::string const&, std::uint16_t port) {
      std::vector<SocketAddress> addresses;
      for (Host const& host : hosts_) addresses.push_back(SocketAddress::ip(host.address, port));
      return addresses;
    };
    options.connect = [&](SocketAddress const& address) { return connect(address); };
    static_cast<void>(trio::open_tcp_stream("example.org", 80, options));
  }

  // "1.1.1.1 at 250 ms: tried", and so on, as it happened.
  support::Log log;

 private:
  void note(SocketAddress const& address, char const* what) {
    auto const now =
        std::chrono::duration_cast<std::chrono::milliseconds>(trio::current_time() - start_);
    log.push_back(std::to_string(now.count()) + " ms: " + address.host() + " " + what);
  }

  trio::SocketStream connect(SocketAddress const& address) {
    CHECK(address.port() == 80);
    note(address, "tried");
    auto const& host = *std::ranges::find(hosts_, address.host(), &Host::address);
    try {
      trio::sleep(host.takes);
    } catch (trio::Cancelled const&) {
      note(address, "given up");
      throw;
    }
    note(address, host.answers ? "answers" : "fails");
    if (!host.answers) throw std::system_error(ECONNREFUSED, std::generic_category(), host.address);
    return trio::open_socket_pair().first;
  }

  std::vector<Host> hosts_;
  trio::Time start_;
};

using Log = support::Log;

}  // namespace

TEST_CASE("happy eyeballs: one address that answers") {
  support::run([] {
    FakeNetwork network({{"1.1.1.1", 123ms, true}});
    network.open();
    CHECK(network.log == Log{"0 ms: 1.1.1.1 tried", "123 ms: 1.1.1.1 answers"});
  });
}

TEST_CASE("happy eyeballs: the next address is tried when one is slow, and the first one wins") {
  support::run([] {
    FakeNetwork network({{"1.1.1.1", 10s, true}, {"2.2.2.2", 1s, true}, {"3.3.3.3", 10s, true}});
    network.open();
    CHECK(network.log == Log{"0 ms: 1.1.1.1 tried", "250 ms: 2.2.2.2 tried",
                             "500 ms: 3.3.3.3 tried", "1250 ms: 2.2.2.2 answers",
                             "1250 ms: 1.1.1.1 given up", "1250 ms: 3.3.3.3 given up"});
  });
}

TEST_CASE("happy eyeballs: an early attempt may win after a late one was begun") {
  support::run([] {
    FakeNetwork network({{"1.1.1.1", 400ms, true}, {"2.2.2.2", 1s, true}, {"3.3.3.3", 0s, true}});
    network.open();
    CHECK(network.log == Log{"0 ms: 1.1.1.1 tried", "250 ms: 2.2.2.2 tried",
                             "400 ms: 1.1.1.1 answers", "400 ms: 2.2.2.2 given up"});
  });
}

TEST_CASE("happy eyeballs: a failure brings on the next attempt at once") {
  support::run([] {
    FakeNetwork network(
        {{"1.1.1.1", 100ms, false}, {"2.2.2.2", 50ms, false}, {"3.3.3.3", 100ms, true}});
    network.open();
    CHECK(network.log == Log{"0 ms: 1.1.1.1 tried", "100 ms: 1.1.1.1 fails",
                             "100 ms: 2.2.2.2 tried", "150 ms: 2.2.2.2 fails",
                             "150 ms: 3.3.3.3 tried", "250 ms: 3.3.3.3 answers"});
  });
}

TEST_CASE("happy eyeballs: only the failure of the latest attempt brings on the next") {
  support::run([] {
    FakeNetwork network({{"1.1.1.1", 300ms, false}, {"2.2.2.2", 10s, true}, {"3.3.3.3", 0s, true}});
    network.open();
    CHECK(network.log == Log{"0 ms: 1.1.1.1 tried", "250 ms: 2.2.2.2 tried",
                             "300 ms: 1.1.1.1 fails", "500 ms: 3.3.3.3 tried",
                             "500 ms: 3.3.3.3 answers", "500 ms: 2.2.2.2 given up"});
  });
}

TEST_CASE("happy eyeballs: the delay may be chosen, or be for ever") {
  support::run([] {
    FakeNetwork quick({{"1.1.1.1", 10s, true}, {"2.2.2.2", 1s, true}});
    quick.open(10ms);
    CHECK(quick.log[1] == "10 ms: 2.2.2.2 tried");
    FakeNetwork patient({{"1.1.1.1", 10s, true}, {"2.2.2.2", 0s, true}});
    patient.open(std::chrono::nanoseconds::max());
    CHECK(patient.log == Log{"0 ms: 1.1.1.1 tried", "10000 ms: 1.1.1.1 answers"});
  });
}

TEST_CASE("happy eyeballs: the second attempt is of another family, if there is one") {
  support::run([] {
    FakeNetwork network({{"1.1.1.1", 100ms, false},
                         {"2.2.2.2", 100ms, false},
                         {"3.3.3.3", 100ms, false},
                         {"::4", 100ms, false},
                         {"5.5.5.5", 100ms, false},
                         {"::6", 100ms, true}});
    network.open();
    Log tried;
    for (std::string const& line : network.log)
      if (line.ends_with("tried")) tried.push_back(line);
    CHECK(tried == Log{"0 ms: 1.1.1.1 tried", "100 ms: ::4 tried", "200 ms: 2.2.2.2 tried",
                       "300 ms: 3.3.3.3 tried", "400 ms: 5.5.5.5 tried", "500 ms: ::6 tried"});
  });
}

TEST_CASE("happy eyeballs: when all fail, the error has all of theirs") {
  support::run([] {
    FakeNetwork network({{"1.1.1.1", 100ms, false}, {"2.2.2.2", 50ms, false}});
    try {
      network.open();
      FAIL("connected");
    } catch (trio::ConnectError const& error) {
      CHECK(error.code() == std::errc::connection_refused);
      CHECK(error.attempts().size() == 2);
      CHECK(std::string(error.what()).find("example.org, port 80") != std::string::npos);
      CHECK(std::string(error.what()).find("\n  2.2.2.2: Connection refused") != std::string::npos);
    }
  });
}

TEST_CASE("happy eyeballs: two that answer at once give one connection and no leak") {
  auto const before = support::open_descriptors();
  support::run([] {
    FakeNetwork network({{"1.1.1.1", 500ms, true}, {"2.2.2.2", 250ms, true}});
    network.open();
    CHECK(network.log.size() == 4);
    CHECK(network.log.back() == "500 ms: 2.2.2.2 answers");
  });
  CHECK(support::open_descriptors() == before);
}

TEST_CASE("happy eyeballs: cancelled, every attempt is given up") {
  support::run([] {
    FakeNetwork network({{"1.1.1.1", 10s, true}, {"2.2.2.2", 10s, true}});
    CHECK(trio::move_on_after(300ms, [&] { network.open(); }).cut_short);
    CHECK(network.log.size() == 4);
    CHECK(network.log.back() == "300 ms: 2.2.2.2 given up");
  });
}

TEST_CASE("happy eyeballs: an error that is no failure to connect comes out as it is") {
  support::run([] {
    trio::OpenTcpStreamOptions options;
    options.connect = [](SocketAddress const&) -> trio::SocketStream { throw support::KeyError(); };
    CHECK_THROWS_AS(trio::open_tcp_stream("127.0.0.1", 80, options), support::KeyError);
  });
}

TEST_CASE("a host without addresses cannot be connected to") {
  trio::run([] {
    trio::OpenTcpStreamOptions options;
    options.resolve = [](std::string const&, std::uint16_t) {
      return std::vector<SocketAddress>();
    };
    CHECK_THROWS_AS(trio::open_tcp_stream("nowhere", 80, options), trio::ResolveError);
  });
}

TEST_CASE("numeric hosts resolve to themselves, no host to all that this machine has") {
  trio::run([] {
    CHECK(trio::resolve("127.0.0.1", 80) ==
          std::vector<SocketAddress>{SocketAddress::ip("127.0.0.1", 80)});
    CHECK(trio::resolve("::1", 80) == std::vector<SocketAddress>{SocketAddress::ip("::1", 80)});
    auto const all = trio::resolve("", 80, trio::ResolveFor::listening);
    CHECK(std::ranges::find(all, SocketAddress::ip("0.0.0.0", 80)) != all.end());
    trio::testing::assert_checkpoints([] { static_cast<void>(trio::resolve("::1", 80)); });
  });
}

TEST_CASE("names are looked up, in a thread") {
  trio::run([] {
    auto const addresses = trio::resolve("localhost", 80);
    CHECK(std::ranges::any_of(addresses, [](SocketAddress const& address) {
      return address == SocketAddress::ip("127.0.0.1", 80) ||
             address == SocketAddress::ip("::1", 80);
    }));
    CHECK(trio::lowlevel::current_statistics().threads == 1);
  });
}

TEST_CASE("hidden: looks up localhost" * doctest::skip()) {
  trio::run([] {
    CHECK(trio::resolve("localhost", 80) ==
          std::vector<SocketAddress>{SocketAddress::ip("127.0.0.1", 80)});
  });
}

TEST_CASE("localhost is this machine where neither a file nor a server knows it") {
  trio::run([] {
    auto const run_there = [](std::string const& script) {
      return trio::run_process(
          {"unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script},
          {.capture_output = true, .check = false});
    };
    std::string const forget =
        "for file in /etc/hosts /etc/resolv.conf; do "
        "[ ! -e $file ] || mount --bind /dev/null $file || exit 1; done; ";
    if (!run_there(forget).status.is_success()) {
      MESSAGE("not run: no namespace to hide files in");
      return;
    }
    auto const completed =
        run_there(forget + "exec " + std::filesystem::read_symlink("/proc/self/exe").string() +
                  " --no-skip '--test-case=hidden: looks up localhost'");
    CAPTURE(completed.output);
    CHECK(completed.status.is_success());
  });
}

TEST_CASE("a name that is nobody's says so") {
  trio::run([] {
    // Longer than a name's part may be: no server is asked.
    std::string const host(64, 'x');
    try {
      static_cast<void>(trio::open_tcp_stream(host, 80));
      FAIL("found nobody");
    } catch (trio::ResolveError const& error) {
      CHECK(error.code() != 0);
      CHECK(std::string(error.what()).starts_with("trio: cannot look up the host '" + host + "'"));
    }
    // Not what comes before the zero byte, either.
    CHECK_THROWS_AS(trio::resolve(std::string("127.0.0.1\0.example.org", 22), 80),
                    trio::ResolveError);
  });
}

TEST_CASE("connecting and serving by TCP") {
  trio::run([] {
    trio::fail_after(60s, [] {
      trio::open_nursery([](trio::Nursery& nursery) {
        auto const addresses =
            nursery.start(trio::serve_tcp, echo, 0, trio::TcpListenOptions{.host = "127.0.0.1"});
        REQUIRE(addresses.size() == 1);
        CHECK(addresses[0].port() != 0);
        auto stream = trio::open_tcp_stream("127.0.0.1", addresses[0].port());
        CHECK(stream.remote_address() == addresses[0]);
        stream.send_all("hello");
        CHECK(stream.receive_some(10) == "hello");
        nursery.cancel_scope().cancel();
      });
    });
  });
}

TEST_CASE("where nobody listens, connecting by TCP is refused") {
  trio::run([] {
    std::uint16_t const port =
        trio::open_tcp_listeners(0, {.host = "127.0.0.1"})[0].local_address().port();
    try {
      static_cast<void>(trio::open_tcp_stream("127.0.0.1", port));
      FAIL("connected to nobody");
    } catch (trio::ConnectError const& error) {
      CHECK(error.code() == std::errc::connection_refused);
    }
  });
}

TEST_CASE("a connection may come from an address of one's choice") {
  trio::run([] {
    auto listeners = trio::open_tcp_listeners(0, {.host = "127.0.0.1"});
    std::uint16_t const port = listeners[0].local_address().port();
    auto const stream = trio::open_tcp_stream("127.0.0.1", port,
                                              {.local_address = SocketAddress::ip("127.0.0.2", 0)});
    CHECK(stream.local_address().host() == "127.0.0.2");
    CHECK(listeners[0].accept().remote_address() == stream.local_address());
    CHECK_THROWS_AS(
        trio::open_tcp_stream("127.0.0.1", port, {.local_address = SocketAddress::ip("::1", 0)}),
        trio::ConnectError);
  });
}

TEST_CASE("one may listen at every address, for IPv4 and IPv6 apart") {
  trio::run([] {
    auto listeners = trio::open_tcp_listeners(0);
    for (auto& listener : listeners) {
      auto const address = listener.local_address();
      auto const stream =
          trio::open_tcp_stream(address.family() == AF_INET6 ? "::1" : "127.0.0.1", address.port());
      CHECK(listener.accept().remote_address() == stream.local_address());
      if (address.family() == AF_INET6)
        CHECK_THROWS_AS(trio::open_tcp_stream("127.0.0.1", address.port()), trio::ConnectError);
    }
    CHECK(!listeners.empty());
  });
}

TEST_CASE("a port may be listened at again at once, but not by two") {
  trio::run([] {
    auto listeners = trio::open_tcp_listeners(0, {.host = "127.0.0.1"});
    std::uint16_t const port = listeners[0].local_address().port();
    CHECK_THROWS_AS(trio::open_tcp_listeners(port, {.host = "127.0.0.1"}), std::system_error);
    {
      // Leaves a connection in the state TIME_WAIT.
      auto const client = trio::open_tcp_stream("127.0.0.1", port);
      listeners[0].accept().close();
    }
    listeners.clear();
    CHECK(trio::open_tcp_listeners(port, {.host = "127.0.0.1"}).size() == 1);
  });
}

TEST_CASE("a cancelled connection attempt hangs nowhere and leaks nothing") {
  auto const before = support::open_descriptors();
  std::uint64_t completed = 0;
  auto const scenario = [&] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      auto const addresses =
          nursery.start(trio::serve_tcp, echo, 0, trio::TcpListenOptions{.host = "127.0.0.1"});
      trio::OpenTcpStreamOptions options;
      // One that refuses, and one that answers.
      options.resolve = [&](std::string const&, std::uint16_t port) {
        return std::vector<SocketAddress>{SocketAddress::ip("::1", port),
                                          SocketAddress::ip("127.0.0.1", port)};
      };
      auto stream = trio::open_tcp_stream("localhost", addresses[0].port(), options);
      stream.send_all("x");
      std::string const answer = stream.receive_some(1);
      CHECK(answer == "x");
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
  }
}
