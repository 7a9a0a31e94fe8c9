// SPDX-License-Identifier: BSL-1.0
#include "stream_errors.hpp"
#include "when_ready.hpp"

#include <trio/detail/keep_frame.hpp>
#include <trio/detail/write_without_sigpipe.hpp>
#include <trio/errors.hpp>
#include <trio/fd_stream.hpp>
#include <trio/io.hpp>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace trio {

using detail::ConflictDetector;
using detail::when_ready;

FdSendStream::FdSendStream(Descriptor fd) : fd_(std::move(fd)) {}

void FdSendStream::send_all(std::string_view data) {
  ConflictDetector::Use const use(sending_, detail::already_sending);
  fd_.get_open();
  if (data.empty()) lowlevel::checkpoint();
  while (!data.empty()) {
    ssize_t const sent = when_ready(fd_, lowlevel::wait_writable, [&](int fd) {
      return detail::write_without_sigpipe(fd, data.data(), data.size());
    });
    if (sent < 0) detail::throw_broken(errno);
    data.remove_prefix(static_cast<std::size_t>(sent));
  }
  detail::keep_frame();
}

void FdSendStream::wait_send_all_might_not_block() {
  ConflictDetector::Use const use(sending_, detail::already_sending);
  pollfd now = {fd_.get_open(), POLLOUT, 0};
  if (poll(&now, 1, 0) == 0) {
    lowlevel::wait_writable(fd_.get());
  } else {
    // Also what can never be waited for: a file on a disk, /dev/null.
    lowlevel::checkpoint();
    fd_.get_open();
  }
  detail::keep_frame();
}

FdReceiveStream::FdReceiveStream(Descriptor fd) : fd_(std::move(fd)) {}

std::size_t FdReceiveStream::receive_some(std::span<char> buffer) {
  ConflictDetector::Use const use(receiving_, detail::already_receiving);
  detail::check_has_room(buffer);
  ssize_t const received = when_ready(
      fd_, lowlevel::wait_readable, [&](int fd) { return read(fd, buffer.data(), buffer.size()); });
  if (received < 0) detail::throw_broken(errno);
  return static_cast<std::size_t>(received);
}

Pipe open_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) < 0)
    throw std::system_error(errno, std::generic_category(), "trio: open_pipe");
  Descriptor reading(ends[0]);
  return {FdSendStream(Descriptor(ends[1])), FdReceiveStream(std::move(reading))};
}

}  // namespace trio
