// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/detail/conflict_detector.hpp>
#include <trio/stapled_stream.hpp>
#include <trio/stream.hpp>
#include <trio/unbounded.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

namespace trio::testing {

namespace detail_stream {
struct MemoryPipe;
}

// Sends into memory; see memory_stream_one_way_pair(). Mirrors trio.testing.MemorySendStream.
class MemorySendStream final : public SendStream {
 public:
  MemorySendStream(MemorySendStream&&) noexcept = default;
  MemorySendStream& operator=(MemorySendStream&&) = delete;
  ~MemorySendStream() override;

  void send_all(std::string_view data) override;
  void wait_send_all_might_not_block() override;
  void close() override;

 private:
  friend struct detail_stream::MemoryPipe;

  explicit MemorySendStream(std::shared_ptr<detail_stream::MemoryPipe> pipe);
  void check_open() const;

  // Null when moved from.
  std::shared_ptr<detail_stream::MemoryPipe> pipe_;
  trio::detail::ConflictDetector sending_;
};

// Receives what a MemorySendStream sends. Mirrors trio.testing.MemoryReceiveStream.
class MemoryReceiveStream final : public ReceiveStream {
 public:
  MemoryReceiveStream(MemoryReceiveStream&&) noexcept = default;
  MemoryReceiveStream& operator=(MemoryReceiveStream&&) = delete;
  ~MemoryReceiveStream() override;

  using ReceiveStream::receive_some;
  std::size_t receive_some(std::span<char> buffer) override;
  void close() override;

 private:
  friend struct detail_stream::MemoryPipe;

  explicit MemoryReceiveStream(std::shared_ptr<detail_stream::MemoryPipe> pipe);
  void check_open() const;

  std::shared_ptr<detail_stream::MemoryPipe> pipe_;
  trio::detail::ConflictDetector receiving_;
};

struct MemoryStreamOneWayPair {
  MemorySendStream sender;
  MemoryReceiveStream receiver;
};

// Bytes from one task to another without the operating system, for tests of protocols. send_all()
// waits while `capacity` bytes (at least 1) have not been received: 1 is as bad as it can get,
// `unbounded` never lets it wait. Not a checkpoint. Throws std::invalid_argument for a capacity of
// 0. Mirrors trio.testing.memory_stream_one_way_pair, and lockstep_stream_one_way_pair for a small
// capacity.
MemoryStreamOneWayPair memory_stream_one_way_pair(std::size_t capacity = unbounded);

using MemoryStream = StapledStream<MemorySendStream, MemoryReceiveStream>;

struct MemoryStreamPair {
  MemoryStream first;
  MemoryStream second;
};

// The same both ways. Mirrors trio.testing.memory_stream_pair.
MemoryStreamPair memory_stream_pair(std::size_t capacity = unbounded);

// The two ends of a stream to be checked.
struct OneWayStreams {
  std::unique_ptr<SendStream> sender;
  std::unique_ptr<ReceiveStream> receiver;
};

// The same for streams both ways.
template <class S> struct TwoWayStreams {
  std::unique_ptr<S> first;
  std::unique_ptr<S> second;
};

// Checks that a stream of your own keeps every promise of SendStream and ReceiveStream: what
// arrives, what is a checkpoint, which errors come when. `make` makes a new pair of connected ends
// each time. `make_clogged`, which may be empty, makes one whose sender has to wait until something
// is received, so that waiting is checked too. To be called in a task, in a run that a hang may
// not stop (give it a timeout). Throws std::logic_error with a sentence for the first promise
// broken; what a stream throws that no promise speaks of comes as it is, in a group perhaps.
// Mirrors trio.testing.check_one_way_stream.
void check_one_way_stream(std::function<OneWayStreams()> const& make,
                          std::function<OneWayStreams()> const& make_clogged);

// The same for a Stream, both ways. Mirrors trio.testing.check_two_way_stream.
void check_two_way_stream(std::function<TwoWayStreams<Stream>()> const& make,
                          std::function<TwoWayStreams<Stream>()> const& make_clogged);

// The same for a HalfCloseableStream. Mirrors trio.testing.check_half_closeable_stream.
void check_half_closeable_stream(
    std::function<TwoWayStreams<HalfCloseableStream>()> const& make,
    std::function<TwoWayStreams<HalfCloseableStream>()> const& make_clogged);

}  // namespace trio::testing
