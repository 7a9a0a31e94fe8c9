// SPDX-License-Identifier: BSL-1.0
#include "socket_calls.hpp"

#include <trio/cancel_scope.hpp>
#include <trio/detail/guarded.hpp>
#include <trio/event.hpp>
#include <trio/exception_group.hpp>
#include <trio/lowlevel.hpp>
#include <trio/tcp.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace trio {

namespace {

// The second address is to be of another family than the first, if one is (RFC 6555, 5.4): where
// one family does not work, it is not tried twice before the other.
void mix_families(std::vector<SocketAddress>& addresses) {
  auto const other = std::ranges::find_if(addresses, [&](SocketAddress const& address) {
    return address.family() != addresses.front().family();
  });
  if (other != addresses.end()) std::rotate(addresses.begin() + 1, other, other + 1);
}

[[noreturn]] void throw_connect_error(std::string const& host, std::uint16_t port,
                                      std::vector<std::exception_ptr> attempts) {
  std::string what =
      "trio: cannot connect to " + host + ", port " + std::to_string(port) + ", at any address";
  for (auto const& attempt : attempts)
    what += std::string("\n  ") + exception_cast<std::system_error>(attempt)->what();
  auto const code = exception_cast<std::system_error>(attempts.front())->code();
  throw ConnectError(code, what, std::move(attempts));
}

// One attempt after the other to connect to these addresses, each in a task of its own.
class Race {
 public:
  Race(std::vector<SocketAddress> const& addresses, OpenTcpStreamOptions const& options)
      : addresses_(addresses), options_(options) {}

  void run() {
    open_nursery([&](Nursery& nursery) {
      for (SocketAddress const& address : addresses_) {
        auto const failed = std::make_shared<Event>();
        nursery.start_soon({.name = "connect to " + describe(address)},
                           [&, failed] { attempt(address, *failed, nursery); });
        static_cast<void>(move_on_after(options_.happy_eyeballs_delay, [&] { failed->wait(); }));
      }
    });
  }

  std::optional<SocketStream> winner;
  std::vector<std::exception_ptr> errors;

 private:
  void attempt(SocketAddress const& address, Event& failed, Nursery& nursery) {
    try {
      SocketStream stream = options_.connect ? options_.connect(address)
                                             : open_socket_stream(address, options_.local_address);
      if (!winner) winner.emplace(std::move(stream));
      nursery.cancel_scope().cancel("another address has answered");
    } catch (std::system_error const&) {
      errors.push_back(std::current_exception());
      failed.set();
    }
  }

  std::vector<SocketAddress> const& addresses_;
  OpenTcpStreamOptions const& options_;
};

SocketListener listen_at(SocketAddress const& address, int backlog) {
  std::string const purpose = "cannot listen at " + describe(address);
  Descriptor made = detail::make_socket(address);
  // The connections of a server that has ended must not keep the next one from its port.
  detail::set_socket_option(made.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  // IPv4 has a listener of its own.
  if (address.family() == AF_INET6)
    detail::set_socket_option(made.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (bind(made.get(), address.get(), address.length()) < 0 || listen(made.get(), backlog) < 0)
    detail::fail_call(purpose, errno);
  return SocketListener(std::move(made));
}

}  // namespace

SocketStream open_tcp_stream(std::string const& host, std::uint16_t port,
                             OpenTcpStreamOptions const& options) {
  lowlevel::checkpoint_if_cancelled();
  std::vector<SocketAddress> addresses =
      options.resolve ? options.resolve(host, port) : resolve(host, port);
  if (addresses.empty())
    throw ResolveError("trio: the host '" + host + "' has no addresses", EAI_NONAME);
  mix_families(addresses);
  Race race(addresses, options);
  if (auto const error = detail::caught_from([&] { race.run(); })) rethrow_single(error);
  if (!race.winner) throw_connect_error(host, port, std::move(race.errors));
  return std::move(*race.winner);
}

std::vector<SocketListener> open_tcp_listeners(std::uint16_t port,
                                               TcpListenOptions const& options) {
  std::vector<SocketListener> listeners;
  std::exception_ptr unsupported;
  for (SocketAddress const& address : resolve(options.host, port, ResolveFor::listening)) {
    try {
      listeners.push_back(listen_at(address, options.backlog));
    } catch (std::system_error const& error) {
      // A machine without IPv6 may resolve to IPv6 addresses.
      if (error.code().value() != EAFNOSUPPORT) throw;
      unsupported = std::current_exception();
    }
  }
  if (listeners.empty() && unsupported) std::rethrow_exception(unsupported);
  return listeners;
}

void serve_tcp(StreamHandler handler, std::uint16_t port, TcpListenOptions const& options,
               TaskStatus<std::vector<SocketAddress>>& status) {
  serve_listeners(std::move(handler), open_tcp_listeners(port, options), nullptr, status);
}

}  // namespace trio
