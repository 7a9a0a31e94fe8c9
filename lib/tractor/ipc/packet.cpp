// SPDX-License-Identifier: BSL-1.0
#include "packet.hpp"

#include <cstring>

namespace tractor::ipc {

namespace {

struct Layout {
  std::uint8_t kind;
  std::uint8_t lane;
  std::uint16_t nothing;
  std::uint32_t header_size;
  std::uint64_t payload_size;
};

static_assert(sizeof(Layout) == packet_head_size);

}  // namespace

std::array<std::byte, packet_head_size> encode(PacketHead const& head) noexcept {
  Layout const layout = {static_cast<std::uint8_t>(head.kind), static_cast<std::uint8_t>(head.lane),
                         0, head.header_size, head.payload_size};
  std::array<std::byte, packet_head_size> bytes;
  std::memcpy(bytes.data(), &layout, sizeof layout);
  return bytes;
}

std::optional<PacketHead> decode_head(std::span<std::byte const, packet_head_size> bytes) noexcept {
  Layout layout;
  std::memcpy(&layout, bytes.data(), sizeof layout);
  auto const kind = static_cast<PacketKind>(layout.kind);
  auto const lane = static_cast<Lane>(layout.lane);
  if (kind < PacketKind::greeting || kind > PacketKind::end || lane > Lane::data ||
      layout.nothing != 0)
    return {};
  return PacketHead{kind, lane, layout.header_size, layout.payload_size};
}

}  // namespace tractor::ipc
