// SPDX-License-Identifier: BSL-1.0
#include "bare_socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace bench {

namespace {

using Piece = std::array<char, 64 * 1024>;

}  // namespace

void echo_by_socket(int fd) {
  Piece buffer;
  for (ssize_t got = 0; (got = read(fd, buffer.data(), buffer.size())) > 0;)
    if (write(fd, buffer.data(), static_cast<std::size_t>(got)) < 0) return;
}

BareSocketPeer::Ends BareSocketPeer::make_ends() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) < 0)
    throw std::system_error(errno, std::generic_category(), "socketpair");
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  return {ends[0], ends[1]};
}

BareSocketPeer::BareSocketPeer()
    : ends_(make_ends()), process_({socket_echo, std::to_string(ends_.theirs)}) {
  close(ends_.theirs);
}

BareSocketPeer::~BareSocketPeer() { close(ends_.ours); }

void BareSocketPeer::round_trip(std::span<char const> text) {
  if (write(ends_.ours, text.data(), text.size()) < 0) return;
  Piece buffer;
  for (std::size_t missing = text.size(); missing > 0;) {
    ssize_t const got = read(ends_.ours, buffer.data(), std::min(missing, buffer.size()));
    if (got <= 0) throw std::system_error(errno, std::generic_category(), "read");
    missing -= static_cast<std::size_t>(got);
  }
}

}  // namespace bench
