// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "transport.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace tractor::ipc {

// How a link talks over a stream of bytes: in packets, each a head of fixed size and what that
// announces. A frame that is large is cut into chunks, so that one of the control lane need not
// wait for the whole of it.

enum class PacketKind : std::uint8_t {
  // The first of who connects. Its header: greeting_word, and the identity.
  greeting = 1,
  // The first of who listens: come in, or go away.
  welcome,
  refusal,
  // A frame: header and payload follow.
  frame,
  // A frame of which only the header follows, and the payload in chunks.
  large_frame,
  // The next part of the payload of this lane's large frame.
  chunk,
  // The last of a link.
  end,
};

struct PacketHead {
  PacketKind kind = PacketKind::end;
  Lane lane = Lane::control;
  std::uint32_t header_size = 0;
  std::uint64_t payload_size = 0;
};

inline constexpr std::size_t packet_head_size = 16;

// Both ends of it are on one host: numbers are as the host has them.
std::array<std::byte, packet_head_size> encode(PacketHead const& head) noexcept;
// Empty if there is no such kind or lane.
std::optional<PacketHead> decode_head(std::span<std::byte const, packet_head_size> bytes) noexcept;

// By which we know our own, and this version of how they talk.
inline constexpr std::string_view greeting_word = "tractor link 1 ";

// Of a frame that is one packet: header and payload. Copying more would cost more than a call.
inline constexpr std::size_t largest_whole_frame = 8 * 1024;

}  // namespace tractor::ipc
