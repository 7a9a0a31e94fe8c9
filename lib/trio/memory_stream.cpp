// SPDX-License-Identifier: BSL-1.0
#include "stream_errors.hpp"

#include <trio/detail/keep_frame.hpp>
#include <trio/errors.hpp>
#include <trio/lowlevel.hpp>
#include <trio/parking_lot.hpp>
#include <trio/testing/streams.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

namespace trio::testing {

using trio::detail::ConflictDetector;

namespace detail_stream {

// What the two ends share.
struct MemoryPipe {
  explicit MemoryPipe(std::size_t most) : capacity(most) {}

  static MemoryStreamOneWayPair open(std::size_t capacity) {
    auto pipe = std::make_shared<MemoryPipe>(capacity);
    return {MemorySendStream(pipe), MemoryReceiveStream(pipe)};
  }

  std::size_t room() const noexcept { return capacity - buffer.size(); }

  std::size_t const capacity;
  std::string buffer = {};
  bool sender_closed = false;
  bool receiver_closed = false;
  // One task at the most is in each.
  lowlevel::ParkingLot sender = {};
  lowlevel::ParkingLot receiver = {};
};

}  // namespace detail_stream

MemorySendStream::MemorySendStream(std::shared_ptr<detail_stream::MemoryPipe> pipe)
    : pipe_(std::move(pipe)) {}

MemorySendStream::~MemorySendStream() { MemorySendStream::close(); }

void MemorySendStream::check_open() const {
  if (!pipe_ || pipe_->sender_closed)
    throw ClosedResourceError("trio: this memory stream is closed");
  if (pipe_->receiver_closed)
    throw BrokenResourceError("trio: the other end of the memory stream is closed");
}

void MemorySendStream::send_all(std::string_view data) {
  ConflictDetector::Use const use(sending_, trio::detail::already_sending);
  check_open();
  lowlevel::checkpoint();
  for (;;) {
    check_open();
    std::size_t const fitting = std::min(pipe_->room(), data.size());
    pipe_->buffer += data.substr(0, fitting);
    data.remove_prefix(fitting);
    pipe_->receiver.unpark_all();
    if (data.empty()) break;
    pipe_->sender.park();
  }
  trio::detail::keep_frame();
}

void MemorySendStream::wait_send_all_might_not_block() {
  ConflictDetector::Use const use(sending_, trio::detail::already_sending);
  check_open();
  lowlevel::checkpoint();
  check_open();
  while (pipe_->room() == 0) {
    pipe_->sender.park();
    check_open();
  }
}

void MemorySendStream::close() {
  if (!pipe_ || std::exchange(pipe_->sender_closed, true)) return;
  pipe_->sender.unpark_all();
  pipe_->receiver.unpark_all();
}

MemoryReceiveStream::MemoryReceiveStream(std::shared_ptr<detail_stream::MemoryPipe> pipe)
    : pipe_(std::move(pipe)) {}

MemoryReceiveStream::~MemoryReceiveStream() { MemoryReceiveStream::close(); }

void MemoryReceiveStream::check_open() const {
  if (!pipe_ || pipe_->receiver_closed)
    throw ClosedResourceError("trio: this memory stream is closed");
}

std::size_t MemoryReceiveStream::receive_some(std::span<char> buffer) {
  ConflictDetector::Use const use(receiving_, trio::detail::already_receiving);
  trio::detail::check_has_room(buffer);
  check_open();
  lowlevel::checkpoint();
  check_open();
  while (pipe_->buffer.empty() && !pipe_->sender_closed) {
    pipe_->receiver.park();
    check_open();
  }
  std::size_t const received = pipe_->buffer.copy(buffer.data(), buffer.size());
  pipe_->buffer.erase(0, received);
  pipe_->sender.unpark_all();
  return received;
}

void MemoryReceiveStream::close() {
  if (!pipe_ || std::exchange(pipe_->receiver_closed, true)) return;
  pipe_->buffer.clear();
  pipe_->sender.unpark_all();
  pipe_->receiver.unpark_all();
}

MemoryStreamOneWayPair memory_stream_one_way_pair(std::size_t capacity) {
  if (capacity == 0)
    throw std::invalid_argument("trio: a memory stream holds one byte at the least");
  return detail_stream::MemoryPipe::open(capacity);
}

MemoryStreamPair memory_stream_pair(std::size_t capacity) {
  MemoryStreamOneWayPair there = memory_stream_one_way_pair(capacity);
  MemoryStreamOneWayPair back = memory_stream_one_way_pair(capacity);
  return {{std::move(there.sender), std::move(back.receiver)},
          {std::move(back.sender), std::move(there.receiver)}};
}

}  // namespace trio::testing
