// SPDX-License-Identifier: BSL-1.0
// Whatever bytes come by a link's socket, and however they are cut: the same packets and frames, or
// the same DecodeError after them.
#include "../../lib/tractor/ipc/packet_reader.hpp"

#include <tractor/wire_errors.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace {

using tractor::ipc::PacketReader;

constexpr std::size_t largest_frame = 100'000;

std::string_view text(tractor::Buffer const& buffer) {
  return {reinterpret_cast<char const*>(buffer.data()), buffer.size()};
}

// What is read if at most `most` bytes come at once, each time one more: packet after packet, and
// the error at the end if there is one.
std::vector<std::string> read_all(std::span<std::uint8_t const> bytes, std::size_t most) {
  std::vector<std::string> told;
  PacketReader reader(largest_frame);
  try {
    while (!bytes.empty()) {
      std::size_t placed = 0;
      for (auto const& part : reader.room()) {
        auto const size = std::min({part.iov_len, bytes.size(), most - placed});
        std::memcpy(part.iov_base, bytes.data(), size);
        bytes = bytes.subspan(size);
        placed += size;
      }
      if (placed == 0) __builtin_trap();
      reader.filled(placed);
      ++most;
      while (auto const packet = reader.next())
        told.push_back(std::string(1, static_cast<char>(packet->kind))
                           .append(1, static_cast<char>(packet->lane))
                           .append(text(packet->frame.header))
                           .append("|")
                           .append(text(packet->frame.payload)));
    }
  } catch (tractor::DecodeError const& error) {
    told.push_back(error.what());
  }
  return told;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (size < 1) return 0;
  std::span const bytes(data + 1, size - 1);
  if (read_all(bytes, 1 + data[0]) != read_all(bytes, 1'000'000)) __builtin_trap();
  return 0;
}
