// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/descriptor.hpp>
#include <trio/detail/conflict_detector.hpp>
#include <trio/detail/stream_descriptor.hpp>
#include <trio/socket_address.hpp>
#include <trio/stream.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace trio {

// A connected socket, TCP or Unix, as a stream. TCP sends at once what it is given (TCP_NODELAY),
// and buffers little that the other end has not asked for (TCP_NOTSENT_LOWAT), so that who sends
// feels soon that nobody receives. Mirrors trio.SocketStream.
class SocketStream final : public HalfCloseableStream {
 public:
  // Throws std::invalid_argument if it is no stream socket, std::system_error if it is not open.
  explicit SocketStream(Descriptor connected);
  SocketStream(SocketStream&&) noexcept = default;
  SocketStream& operator=(SocketStream&&) noexcept = default;

  void send_all(std::string_view data) override;
  void wait_send_all_might_not_block() override;
  void send_eof() override;

  using ReceiveStream::receive_some;
  std::size_t receive_some(std::span<char> buffer) override;

  void close() override { fd_.close(); }

  // This end's address and the other's. Not a checkpoint. Throws ClosedResourceError if this end is
  // closed, std::system_error if the kernel does not know any more.
  SocketAddress local_address() const;
  SocketAddress remote_address() const;

  // The descriptor, still the stream's own, for socket options; -1 if it is closed.
  int fd() const noexcept { return fd_.get(); }

 private:
  void check_can_send() const;

  detail::StreamDescriptor fd_;
  detail::ConflictDetector sending_;
  detail::ConflictDetector receiving_;
  bool eof_sent_ = false;
};

struct SocketStreamPair {
  SocketStream first;
  SocketStream second;
};

// Two Unix sockets connected with each other. Not a checkpoint. Throws std::system_error if the
// kernel has none to give. Mirrors trio.socket.socketpair.
SocketStreamPair open_socket_pair();

// Connects to exactly this address, from the address `local` if it is given. A checkpoint.
// Cancelled: no connection is left. Throws std::system_error if that fails. To a Unix socket whose
// listener has too many waiting to be accepted, the kernel lets nobody wait: asks again every
// millisecond.
SocketStream open_socket_stream(SocketAddress const& remote,
                                std::optional<SocketAddress> const& local = {});

// Connects to the Unix socket at `path`; see SocketAddress::unix_path. A checkpoint. Throws as
// open_socket_stream() does. Mirrors trio.open_unix_socket.
SocketStream open_unix_socket(std::string_view path);

}  // namespace trio
