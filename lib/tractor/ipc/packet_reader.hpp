// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "packet.hpp"

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>

#include <sys/uio.h>

namespace tractor::ipc {

// What has come whole: a frame, in however many packets, or one of the packets that carry none.
struct Packet {
  PacketKind kind;
  Lane lane;
  Frame frame;
};

// Puts together what a stream of packets brings, read into wherever it says: what is large goes
// straight to its place.
class PacketReader {
 public:
  // Frames may be this large, header and payload; what claims to be larger is malformed.
  explicit PacketReader(std::size_t largest_frame);

  void set_limit(std::size_t largest_frame) noexcept { largest_frame_ = largest_frame; }

  enum class Read { all, some, ended };
  // Reads without waiting, up to a bound. `all`: of what was there; `some`: there may be more;
  // `ended`: nothing will come any more. To be asked when next() has found nothing. Throws
  // std::system_error if the kernel refuses, std::bad_alloc.
  Read read_from(int socket);

  // Where to read to next, in this order. Never without room once next() has found nothing. Valid
  // until the next call of anything. Throws std::bad_alloc.
  std::span<iovec const> room();
  // So many bytes were read there.
  void filled(std::size_t size) noexcept;

  // The next that is whole; empty if more must be read. Throws DecodeError, which says what has
  // come, if that is malformed, std::bad_alloc if there is no memory for it; nothing may be asked
  // of this any more then.
  std::optional<Packet> next();

 private:
  // A frame that comes in chunks.
  struct Large {
    Frame frame;
    // Of the payload: it has come, or a chunk that brings it has begun.
    std::size_t begun = 0;
  };

  std::optional<Large>& large(Lane lane) { return large_[static_cast<std::size_t>(lane)]; }

  bool fill_missing() noexcept;
  void take(std::span<std::byte> target) noexcept;
  std::optional<Packet> take_whole(PacketHead const& head);
  void begin_large(PacketHead const& head);
  void begin_chunk(PacketHead const& head);

  std::size_t largest_frame_;
  // What was read and not yet looked at.
  std::unique_ptr<std::byte[]> store_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::array<std::optional<Large>, 2> large_;
  // The part of a large frame that comes now, as far as it has not, and whose it is.
  std::span<std::byte> missing_;
  std::optional<Lane> coming_;
  std::array<iovec, 2> room_;
};

}  // namespace tractor::ipc
