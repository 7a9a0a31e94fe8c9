// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/nursery.hpp>
#include <trio/resolve.hpp>
#include <trio/socket_address.hpp>
#include <trio/socket_listener.hpp>
#include <trio/socket_stream.hpp>
#include <trio/time.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace trio {

// No address of a host could be connected to. Its code() is that of the first to fail; what()
// lists them all.
class ConnectError : public std::system_error {
 public:
  ConnectError(std::error_code code, std::string const& what,
               std::vector<std::exception_ptr> attempts)
      : std::system_error(code, what), attempts_(std::move(attempts)) {}

  // Why each failed, in the order in which they did.
  std::vector<std::exception_ptr> const& attempts() const noexcept { return attempts_; }

 private:
  std::vector<std::exception_ptr> attempts_;
};

struct OpenTcpStreamOptions {
  // How long an attempt may take before the next address is tried beside it; nanoseconds::max():
  // until it has failed.
  Duration happy_eyeballs_delay = std::chrono::milliseconds(250);
  // The address of this machine to connect from (its port 0: any); only addresses of its family can
  // then be connected to.
  std::optional<SocketAddress> local_address = {};
  // How names are looked up and connections made, for tests and for who knows better; empty:
  // resolve() and open_socket_stream(). A connection that cannot be made is a std::system_error.
  std::function<std::vector<SocketAddress>(std::string const& host, std::uint16_t port)> resolve =
      {};
  std::function<SocketStream(SocketAddress const& remote)> connect = {};
};

// Connects to a host by name or numeric address. A host of several addresses is tried at one after
// the other ("happy eyeballs", RFC 6555): the next when one has failed or is slow, IPv4 and IPv6 in
// turn at first; the first connection wins, and the other attempts are cancelled. A checkpoint.
// Cancelled: no connection is left. Throws ResolveError, or ConnectError if no address answers;
// bound it by fail_after. Mirrors trio.open_tcp_stream.
SocketStream open_tcp_stream(std::string const& host, std::uint16_t port,
                             OpenTcpStreamOptions const& options = {});

struct TcpListenOptions {
  // The address or name of this machine to listen at; empty: every address it has. "0.0.0.0" and
  // "::" are every one of IPv4 and IPv6.
  std::string host = {};
  // Connections that have not been accepted yet, at the most.
  int backlog = largest_backlog;
};

// Listens for TCP connections: one listener for each address that the host resolves to. With port
// 0 the kernel chooses one, for each its own; see SocketListener::local_address. A checkpoint.
// Throws ResolveError, or std::system_error if an address cannot be had (none of them is then).
// Mirrors trio.open_tcp_listeners.
std::vector<SocketListener> open_tcp_listeners(std::uint16_t port,
                                               TcpListenOptions const& options = {});

// Serves TCP connections: open_tcp_listeners() and serve_listeners() in one, the handlers in a
// nursery of its own. For one of yours, which lets them finish, call those two.
//
//   auto addresses = nursery.start(trio::serve_tcp, echo, 0, trio::TcpListenOptions{});
void serve_tcp(StreamHandler handler, std::uint16_t port, TcpListenOptions const& options = {},
               TaskStatus<std::vector<SocketAddress>>& status =
                   task_status_ignored<std::vector<SocketAddress>>);

}  // namespace trio
