// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sys/socket.h>

namespace trio {

// Where a socket is, or is to connect to: an IPv4 or IPv6 address with a port, or a name in the
// file system. A value; names are looked up elsewhere, see resolve().
class SocketAddress {
 public:
  // Of no socket.
  SocketAddress() = default;

  // As the kernel has it. Throws std::invalid_argument if it is longer than any address.
  SocketAddress(sockaddr const* address, socklen_t length);

  // A numeric address: "127.0.0.1", "::1", "fe80::1%eth0". Throws std::invalid_argument for
  // anything else.
  static SocketAddress ip(std::string const& host, std::uint16_t port);
  // The same, or nothing.
  static std::optional<SocketAddress> try_ip(std::string const& host, std::uint16_t port);

  // Of a Unix socket: its path, or after a leading zero byte its name among the kernel's abstract
  // ones. Throws std::invalid_argument if it is empty or too long for the kernel (107 bytes).
  static SocketAddress unix_path(std::string_view path);

  // AF_INET, AF_INET6, AF_UNIX or AF_UNSPEC.
  int family() const noexcept { return address_.ss_family; }

  // The numeric address, or the path; empty if it has none.
  std::string host() const;
  // 0 if it has none.
  std::uint16_t port() const noexcept;

  // For system calls.
  sockaddr const* get() const noexcept;

  socklen_t length() const noexcept { return length_; }

  friend bool operator==(SocketAddress const& a, SocketAddress const& b) noexcept;

 private:
  sockaddr_storage address_ = {};
  socklen_t length_ = 0;
};

// "127.0.0.1:80", "[::1]:80", "unix:/run/me", "unix:@abstract", for logs and reports.
std::string describe(SocketAddress const& address);

}  // namespace trio
