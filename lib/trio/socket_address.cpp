// SPDX-License-Identifier: BSL-1.0
#include "zero_byte.hpp"

#include <trio/socket_address.hpp>

#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <stdexcept>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

namespace trio {

namespace {

// What an address begins with, in the form of its family.
template <class Form> Form as(sockaddr_storage const& address) noexcept {
  Form form = {};
  std::memcpy(&form, &address, sizeof form);
  return form;
}

}  // namespace

SocketAddress::SocketAddress(sockaddr const* address, socklen_t length) : length_(length) {
  if (length > sizeof address_)
    throw std::invalid_argument("trio: this is longer than any address of a socket");
  std::memcpy(&address_, address, length);
}

std::optional<SocketAddress> SocketAddress::try_ip(std::string const& host, std::uint16_t port) {
  if (detail::has_zero_byte(host)) return {};
  addrinfo hints = {};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return {};
  std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> const owned(found, freeaddrinfo);
  return SocketAddress(found->ai_addr, found->ai_addrlen);
}

SocketAddress SocketAddress::ip(std::string const& host, std::uint16_t port) {
  auto const address = try_ip(host, port);
  if (!address) throw std::invalid_argument("trio: '" + host + "' is no numeric address of a host");
  return *address;
}

SocketAddress SocketAddress::unix_path(std::string_view path) {
  sockaddr_un address = {};
  if (path.empty() || path.size() >= sizeof address.sun_path)
    throw std::invalid_argument("trio: the path of a Unix socket has 1 to " +
                                std::to_string(sizeof address.sun_path - 1) + " bytes, not " +
                                std::to_string(path.size()));
  if (path.front() != '\0' && detail::has_zero_byte(path))
    throw std::invalid_argument("trio: the path of a Unix socket has a zero byte in it");
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  // An abstract name has no end but the length.
  std::size_t const length =
      offsetof(sockaddr_un, sun_path) + path.size() + (path.front() == '\0' ? 0 : 1);
  return SocketAddress(static_cast<sockaddr const*>(static_cast<void const*>(&address)),
                       static_cast<socklen_t>(length));
}

std::string SocketAddress::host() const {
  if (family() == AF_UNIX) {
    auto const form = as<sockaddr_un>(address_);
    if (length_ <= offsetof(sockaddr_un, sun_path)) return {};
    std::size_t const length = length_ - offsetof(sockaddr_un, sun_path);
    if (form.sun_path[0] == '\0') return std::string(form.sun_path, length);
    return std::string(form.sun_path, strnlen(form.sun_path, length));
  }
  std::array<char, NI_MAXHOST> name{};
  if (getnameinfo(get(), length_, name.data(), name.size(), nullptr, 0, NI_NUMERICHOST) != 0)
    return {};
  return name.data();
}

std::uint16_t SocketAddress::port() const noexcept {
  if (family() == AF_INET) return ntohs(as<sockaddr_in>(address_).sin_port);
  if (family() == AF_INET6) return ntohs(as<sockaddr_in6>(address_).sin6_port);
  return 0;
}

sockaddr const* SocketAddress::get() const noexcept {
  return static_cast<sockaddr const*>(static_cast<void const*>(&address_));
}

bool operator==(SocketAddress const& a, SocketAddress const& b) noexcept {
  return a.length_ == b.length_ && std::memcmp(&a.address_, &b.address_, a.length_) == 0;
}

std::string describe(SocketAddress const& address) {
  std::string host = address.host();
  switch (address.family()) {
    case AF_UNIX:
      if (host.empty()) return "unix:(unnamed)";
      if (host.front() == '\0') host.front() = '@';
      return "unix:" + host;
    case AF_INET:
      return host + ":" + std::to_string(address.port());
    case AF_INET6:
      return "[" + host + "]:" + std::to_string(address.port());
    default:
      return "(no address)";
  }
}

}  // namespace trio
