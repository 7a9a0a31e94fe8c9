// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "../sanitized.hpp"
#include "../temporary_directory.hpp"
#include "support.hpp"

#include <trio/testing/streams.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <doctest/doctest.h>

// Every kind of stream there is, for tests that hold for all of them.
namespace support {

using trio::testing::OneWayStreams;
using TwoWays = trio::testing::TwoWayStreams<trio::HalfCloseableStream>;

// Runs `fn` in real time; a hang of the real world, which no clock jumps over, fails the test.
template <class F> void run_with_timeout(F&& fn) {
  trio::run([&] { trio::fail_after(60s * slowness(), fn); });
}

// Sends until there is no room for more.
inline void clog(trio::SendStream& stream) {
  trio::open_nursery([&](trio::Nursery& nursery) {
    nursery.start_soon([&] {
      std::string const junk(100'000, 'x');
      for (;;) stream.send_all(junk);
    });
    trio::testing::wait_all_tasks_blocked();
    nursery.cancel_scope().cancel();
  });
}

template <class S> TwoWays two_ways(S first, S second) {
  return {std::make_unique<S>(std::move(first)), std::make_unique<S>(std::move(second))};
}

// The two ends of a connection to the listener.
inline TwoWays connect_through(trio::SocketListener& listener) {
  std::optional<trio::SocketStream> accepted;
  std::optional<trio::SocketStream> connected;
  trio::open_nursery([&](trio::Nursery& nursery) {
    nursery.start_soon([&] { accepted = listener.accept(); });
    connected = trio::open_socket_stream(listener.local_address());
  });
  return two_ways(std::move(*connected), std::move(*accepted));
}

struct SocketPairKind {
  static TwoWays make() {
    auto pair = trio::open_socket_pair();
    return two_ways(std::move(pair.first), std::move(pair.second));
  }

  static TwoWays make_clogged() { return clogged(make()); }

  // Clogs both directions.
  static TwoWays clogged(TwoWays ends) {
    clog(*ends.first);
    clog(*ends.second);
    return ends;
  }
};

struct UnixKind {
  static TwoWays make() {
    TemporaryDirectory const directory;
    auto listener = trio::open_unix_listener(directory / "socket");
    return connect_through(listener);
  }

  static TwoWays make_clogged() { return SocketPairKind::clogged(make()); }
};

struct TcpKind {
  static TwoWays make() {
    auto listeners = trio::open_tcp_listeners(0, {.host = "127.0.0.1"});
    return connect_through(listeners.front());
  }

  static TwoWays make_clogged() { return SocketPairKind::clogged(make()); }
};

// The same over IPv6, where the machine has it.
struct Tcp6Kind {
  static bool is_here() {
    try {
      trio::run([] { static_cast<void>(trio::open_tcp_listeners(0, {.host = "::1"})); });
    } catch (std::system_error const&) {
      return false;
    }
    return true;
  }

  static TwoWays make() {
    auto listeners = trio::open_tcp_listeners(0, {.host = "::1"});
    return connect_through(listeners.front());
  }

  static TwoWays make_clogged() { return SocketPairKind::clogged(make()); }
};

// Whether the machine has it.
template <class Kind> bool is_here() {
  if constexpr (requires { Kind::is_here(); })
    return Kind::is_here();
  else
    return true;
}

struct MemoryKind {
  static TwoWays make() { return of_capacity(trio::unbounded); }

  static TwoWays make_clogged() { return SocketPairKind::clogged(of_capacity(1000)); }

  static TwoWays of_capacity(std::size_t capacity) {
    auto pair = trio::testing::memory_stream_pair(capacity);
    return two_ways(std::move(pair.first), std::move(pair.second));
  }
};

// Hardly anything fits in.
struct NarrowMemoryKind {
  static TwoWays make() { return MemoryKind::of_capacity(1); }

  static TwoWays make_clogged() { return SocketPairKind::clogged(make()); }
};

struct TwoPipesKind {
  static TwoWays make() {
    auto there = trio::open_pipe();
    auto back = trio::open_pipe();
    return two_ways(trio::StapledStream(std::move(there.sender), std::move(back.receiver)),
                    trio::StapledStream(std::move(back.sender), std::move(there.receiver)));
  }

  static TwoWays make_clogged() { return SocketPairKind::clogged(make()); }
};

// Each stapled of streams that could do both, and end what they send by themselves.
struct TwoSocketsKind {
  static TwoWays make() {
    auto there = trio::open_socket_pair();
    auto back = trio::open_socket_pair();
    return two_ways(trio::StapledStream(std::move(there.first), std::move(back.second)),
                    trio::StapledStream(std::move(back.first), std::move(there.second)));
  }

  static TwoWays make_clogged() { return SocketPairKind::clogged(make()); }
};

struct PipeKind {
  static OneWayStreams make() {
    auto pipe = trio::open_pipe();
    return {std::make_unique<trio::FdSendStream>(std::move(pipe.sender)),
            std::make_unique<trio::FdReceiveStream>(std::move(pipe.receiver))};
  }

  static OneWayStreams make_clogged() {
    OneWayStreams ends = make();
    clog(*ends.sender);
    return ends;
  }
};

}  // namespace support
