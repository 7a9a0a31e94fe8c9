// SPDX-License-Identifier: BSL-1.0
#include "socket_calls.hpp"

#include <cerrno>
#include <system_error>

#include <sys/socket.h>

namespace trio::detail {

void fail_call(std::string const& what, int error) {
  throw std::system_error(error, std::generic_category(), "trio: " + what);
}

Descriptor make_socket(SocketAddress const& address) {
  Descriptor made(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // Before describe(), which asks the resolver.
  if (int const error = errno; made.get() < 0)
    fail_call("cannot make a socket for " + describe(address), error);
  return made;
}

int socket_option(int fd, int name) {
  int value = 0;
  socklen_t length = sizeof value;
  if (getsockopt(fd, SOL_SOCKET, name, &value, &length) < 0) fail_call("this is no socket", errno);
  return value;
}

void set_socket_option(int fd, int level, int name, int value) noexcept {
  setsockopt(fd, level, name, &value, sizeof value);
}

SocketAddress ask_address(int (*ask)(int, sockaddr*, socklen_t*), int fd) {
  sockaddr_storage storage = {};
  auto* const address = static_cast<sockaddr*>(static_cast<void*>(&storage));
  socklen_t length = sizeof storage;
  if (ask(fd, address, &length) < 0) fail_call("the address of a socket", errno);
  return SocketAddress(address, length);
}

}  // namespace trio::detail
