// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/descriptor.hpp>
#include <trio/socket_address.hpp>

#include <string>

namespace trio::detail {

// std::system_error: "trio: <what>: <error>".
[[noreturn]] void fail_call(std::string const& what, int error);

// A stream socket of the address's family, non-blocking. Throws std::system_error.
Descriptor make_socket(SocketAddress const& address);

// An option of the level SOL_SOCKET. Throws std::system_error if it is no socket.
int socket_option(int fd, int name);

// Does nothing where the socket's family has no such option.
void set_socket_option(int fd, int level, int name, int value) noexcept;

// What getsockname or getpeername says. Throws std::system_error.
SocketAddress ask_address(int (*ask)(int, sockaddr*, socklen_t*), int fd);

}  // namespace trio::detail
