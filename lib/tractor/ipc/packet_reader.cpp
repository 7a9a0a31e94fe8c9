// SPDX-License-Identifier: BSL-1.0
#include "packet_reader.hpp"

#include <tractor/wire_errors.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace tractor::ipc {

namespace {

// More would only be copied more often: what is large and has begun is read to its place.
constexpr std::size_t store_size = 2 * (packet_head_size + largest_whole_frame);

// What a call reads of a large payload at the most: a peer that writes as fast must not keep the
// scheduler from others.
constexpr std::size_t most_at_once = 1024 * 1024;

[[noreturn]] void fail(char const* what) { throw DecodeError(what); }

bool may_carry(PacketHead const& head) noexcept {
  switch (head.kind) {
    case PacketKind::frame:
      return true;
    case PacketKind::greeting:
      return head.lane == Lane::control && head.payload_size == 0;
    default:
      return head.lane == Lane::control && head.payload_size == 0 && head.header_size == 0;
  }
}

}  // namespace

PacketReader::PacketReader(std::size_t largest_frame) : largest_frame_(largest_frame) {}

PacketReader::Read PacketReader::read_from(int socket) {
  auto const parts = room();
  std::size_t asked = 0;
  for (auto const& part : parts) asked += part.iov_len;
  auto const got = readv(socket, parts.data(), static_cast<int>(parts.size()));
  if (got < 0) {
    switch (errno) {
      case EINTR:
        return Read::some;
      case EAGAIN:
        return Read::all;
      case ECONNRESET:
        return Read::ended;
      default:
        throw std::system_error(errno, std::generic_category(), "readv");
    }
  }
  if (got == 0) return Read::ended;
  filled(static_cast<std::size_t>(got));
  return static_cast<std::size_t>(got) == asked ? Read::some : Read::all;
}

std::span<iovec const> PacketReader::room() {
  if (!store_) store_.reset(new std::byte[store_size]);
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (store_size - begin_ < packet_head_size + largest_whole_frame) {
    std::memmove(store_.get(), store_.get() + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
  }
  iovec const behind = {store_.get() + end_, store_size - end_};
  if (missing_.empty()) {
    room_[0] = behind;
    return std::span(room_).first(1);
  }
  room_ = {iovec{missing_.data(), std::min(missing_.size(), most_at_once)}, behind};
  return std::span(room_).first(missing_.size() > most_at_once ? 1 : 2);
}

void PacketReader::filled(std::size_t size) noexcept {
  std::size_t const placed = std::min(size, missing_.size());
  missing_ = missing_.subspan(placed);
  end_ += size - placed;
}

void PacketReader::take(std::span<std::byte> target) noexcept {
  if (!target.empty()) std::memcpy(target.data(), store_.get() + begin_, target.size());
  begin_ += target.size();
}

// False: there is not enough yet.
bool PacketReader::fill_missing() noexcept {
  auto const there = missing_.first(std::min(missing_.size(), end_ - begin_));
  take(there);
  missing_ = missing_.subspan(there.size());
  return missing_.empty();
}

std::optional<Packet> PacketReader::next() {
  for (;;) {
    if (!fill_missing()) return {};
    if (auto const lane = std::exchange(coming_, {})) {
      auto& [frame, begun] = *large(*lane);
      if (begun == frame.payload.size()) {
        Packet whole{PacketKind::frame, *lane, std::move(frame)};
        large(*lane).reset();
        return whole;
      }
    }
    if (end_ - begin_ < packet_head_size) return {};
    auto const head = decode_head(
        std::span<std::byte const, packet_head_size>(store_.get() + begin_, packet_head_size));
    if (!head) fail("what is no packet");
    switch (head->kind) {
      case PacketKind::large_frame:
        begin_large(*head);
        break;
      case PacketKind::chunk:
        begin_chunk(*head);
        break;
      default:
        return take_whole(*head);
    }
  }
}

std::optional<Packet> PacketReader::take_whole(PacketHead const& head) {
  if (!may_carry(head)) fail("a packet with what it cannot carry");
  if (head.payload_size > largest_whole_frame ||
      head.header_size > largest_whole_frame - head.payload_size)
    fail("a packet that is too large to be one");
  std::size_t const size = head.header_size + head.payload_size;
  if (size > largest_frame_) fail("a frame beyond the limit");
  if (end_ - begin_ < packet_head_size + size) return {};
  if (large(head.lane) || (head.kind == PacketKind::end && large(Lane::data)))
    fail("another packet in the middle of a large frame");
  begin_ += packet_head_size;
  Packet packet{head.kind, head.lane, {Buffer(head.header_size), Buffer(head.payload_size)}};
  take({packet.frame.header.data(), packet.frame.header.size()});
  take({packet.frame.payload.data(), packet.frame.payload.size()});
  return packet;
}

void PacketReader::begin_large(PacketHead const& head) {
  if (large(head.lane)) fail("a large frame in the middle of another");
  if (head.payload_size > largest_frame_ || head.header_size > largest_frame_ - head.payload_size)
    fail("a frame beyond the limit");
  begin_ += packet_head_size;
  // Memory that is only claimed costs nothing yet.
  Large& made =
      large(head.lane).emplace(Large{{Buffer(head.header_size), Buffer(head.payload_size)}});
  missing_ = {made.frame.header.data(), made.frame.header.size()};
  coming_ = head.lane;
}

void PacketReader::begin_chunk(PacketHead const& head) {
  auto& whole = large(head.lane);
  if (!whole) fail("a chunk of no large frame");
  std::size_t const rest = whole->frame.payload.size() - whole->begun;
  if (head.header_size != 0 || head.payload_size == 0 || head.payload_size > rest)
    fail("a chunk that does not fit its frame");
  begin_ += packet_head_size;
  missing_ = {whole->frame.payload.data() + whole->begun, head.payload_size};
  whole->begun += head.payload_size;
  coming_ = head.lane;
}

}  // namespace tractor::ipc
