// SPDX-License-Identifier: BSL-1.0
// Whatever bytes come as a header or as a batch of items: a message, or a DecodeError.
#include "../../lib/tractor/wire/message.hpp"

#include <tractor/wire_errors.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  auto const bytes = std::as_bytes(std::span(data, size));
  try {
    // What can be read can be written, and says the same again.
    auto const message = tractor::wire::decode_header(bytes);
    auto const again = tractor::wire::encode_header(message);
    if (tractor::wire::decode_header(again.bytes()).index() != message.index()) __builtin_trap();
  } catch (tractor::DecodeError const&) {}
  try {
    tractor::Buffer payload(size);
    if (size > 0) std::memcpy(payload.data(), data, size);
    std::size_t total = 0;
    for (auto const& item : tractor::wire::split_items(std::move(payload), size))
      total += item.size() + sizeof(tractor::wire::ItemSize);
    if (total != size) __builtin_trap();
  } catch (tractor::DecodeError const&) {}
  return 0;
}
