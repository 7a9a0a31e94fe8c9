// SPDX-License-Identifier: BSL-1.0
#include "socket_calls.hpp"
#include "stream_errors.hpp"
#include "when_ready.hpp"

#include <trio/detail/keep_frame.hpp>
#include <trio/errors.hpp>
#include <trio/io.hpp>
#include <trio/socket_stream.hpp>
#include <trio/time.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace trio {

using detail::ConflictDetector;
using detail::when_ready;

namespace {

// Of what was written and the other end is not ready for; more is only older when it arrives.
constexpr int most_unsent = 16 * 1024;
constexpr std::chrono::milliseconds connect_interval(1);

// Returns 0, or why it failed.
int connect_to(int fd, SocketAddress const& remote) {
  while (connect(fd, remote.get(), remote.length()) < 0) {
    switch (errno) {
      case EAGAIN:
        if (remote.family() != AF_UNIX) return EAGAIN;
        sleep(connect_interval);
        break;
      case EINTR:
      case EINPROGRESS:
        lowlevel::wait_writable(fd);
        return detail::socket_option(fd, SO_ERROR);
      default:
        return errno;
    }
  }
  return 0;
}

}  // namespace

SocketStream::SocketStream(Descriptor connected) : fd_(std::move(connected)) {
  if (detail::socket_option(fd_.get(), SO_TYPE) != SOCK_STREAM)
    throw std::invalid_argument("trio: a SocketStream needs a socket of the type SOCK_STREAM");
  detail::set_socket_option(fd_.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  detail::set_socket_option(fd_.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, most_unsent);
}

void SocketStream::check_can_send() const {
  fd_.get_open();
  if (eof_sent_) throw ClosedResourceError("trio: this stream was ended with send_eof");
}

void SocketStream::send_all(std::string_view data) {
  ConflictDetector::Use const use(sending_, detail::already_sending);
  check_can_send();
  if (data.empty()) lowlevel::checkpoint();
  while (!data.empty()) {
    ssize_t const sent = when_ready(fd_, lowlevel::wait_writable, [&](int fd) {
      return send(fd, data.data(), data.size(), MSG_NOSIGNAL);
    });
    if (sent < 0) detail::throw_broken(errno);
    data.remove_prefix(static_cast<std::size_t>(sent));
  }
  detail::keep_frame();
}

void SocketStream::wait_send_all_might_not_block() {
  ConflictDetector::Use const use(sending_, detail::already_sending);
  check_can_send();
  lowlevel::wait_writable(fd_.get());
  detail::keep_frame();
}

void SocketStream::send_eof() {
  ConflictDetector::Use const use(sending_, detail::already_sending);
  lowlevel::checkpoint();
  if (shutdown(fd_.get_open(), SHUT_WR) < 0 && !eof_sent_) detail::throw_broken(errno);
  eof_sent_ = true;
}

std::size_t SocketStream::receive_some(std::span<char> buffer) {
  ConflictDetector::Use const use(receiving_, detail::already_receiving);
  detail::check_has_room(buffer);
  ssize_t const received = when_ready(fd_, lowlevel::wait_readable, [&](int fd) {
    return recv(fd, buffer.data(), buffer.size(), 0);
  });
  if (received < 0) detail::throw_broken(errno);
  return static_cast<std::size_t>(received);
}

SocketAddress SocketStream::local_address() const {
  return detail::ask_address(getsockname, fd_.get_open());
}

SocketAddress SocketStream::remote_address() const {
  return detail::ask_address(getpeername, fd_.get_open());
}

SocketStreamPair open_socket_pair() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) < 0)
    detail::fail_call("open_socket_pair", errno);
  Descriptor second(ends[1]);
  return {SocketStream(Descriptor(ends[0])), SocketStream(std::move(second))};
}

SocketStream open_socket_stream(SocketAddress const& remote,
                                std::optional<SocketAddress> const& local) {
  lowlevel::checkpoint();
  Descriptor made = detail::make_socket(remote);
  if (local) {
    // The port is then chosen when the other end is known, and may be shared with other
    // connections.
    detail::set_socket_option(made.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    if (bind(made.get(), local->get(), local->length()) < 0) {
      int const error = errno;
      detail::fail_call("cannot connect from " + describe(*local), error);
    }
  }
  if (int const error = connect_to(made.get(), remote))
    detail::fail_call("cannot connect to " + describe(remote), error);
  return SocketStream(std::move(made));
}

SocketStream open_unix_socket(std::string_view path) {
  return open_socket_stream(SocketAddress::unix_path(path));
}

}  // namespace trio
