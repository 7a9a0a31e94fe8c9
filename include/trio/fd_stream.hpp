// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/descriptor.hpp>
#include <trio/detail/conflict_detector.hpp>
#include <trio/detail/stream_descriptor.hpp>
#include <trio/stream.hpp>

#include <cstddef>
#include <span>
#include <string_view>

namespace trio {

// Writes to a descriptor as a stream: to a pipe, a FIFO, a terminal. (Sockets have SocketStream;
// a file on a disk never lets anybody wait, so that writing it holds up the whole run.) While the
// stream is open, what the descriptor stands for is in non-blocking mode, also for other
// descriptors and processes that share it: give it your standard output only if nobody else uses
// that. Two streams on one open file (a terminal's standard input and output) share that mode,
// which the first that is closed gives back: close both together. Mirrors trio.lowlevel.FdStream,
// with FdReceiveStream.
class FdSendStream final : public SendStream {
 public:
  // Throws std::system_error if the descriptor is not open.
  explicit FdSendStream(Descriptor fd);
  FdSendStream(FdSendStream&&) noexcept = default;
  FdSendStream& operator=(FdSendStream&&) noexcept = default;

  // BrokenResourceError: nobody has the reading end any more, or the device has failed. Never
  // raises SIGPIPE.
  void send_all(std::string_view data) override;
  void wait_send_all_might_not_block() override;

  void close() override { fd_.close(); }

  // The descriptor, still the stream's own; -1 if it is closed.
  int fd() const noexcept { return fd_.get(); }

 private:
  detail::StreamDescriptor fd_;
  detail::ConflictDetector sending_;
};

// Reads from a descriptor as a stream; see FdSendStream.
class FdReceiveStream final : public ReceiveStream {
 public:
  // Throws std::system_error if the descriptor is not open.
  explicit FdReceiveStream(Descriptor fd);
  FdReceiveStream(FdReceiveStream&&) noexcept = default;
  FdReceiveStream& operator=(FdReceiveStream&&) noexcept = default;

  using ReceiveStream::receive_some;
  std::size_t receive_some(std::span<char> buffer) override;

  void close() override { fd_.close(); }

  // The descriptor, still the stream's own; -1 if it is closed.
  int fd() const noexcept { return fd_.get(); }

 private:
  detail::StreamDescriptor fd_;
  detail::ConflictDetector receiving_;
};

struct Pipe {
  FdSendStream sender;
  FdReceiveStream receiver;
};

// A pipe of the kernel's: what is sent into the one end is received from the other. Not a
// checkpoint. Throws std::system_error if the kernel has none to give.
Pipe open_pipe();

}  // namespace trio
