// SPDX-License-Identifier: BSL-1.0
// Whatever a publisher and its subscribers say to each other: a message, or a DecodeError.
#include "../../lib/tractor/wire/fan_out.hpp"

#include <tractor/archive.hpp>
#include <tractor/wire_errors.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace {

using namespace tractor::wire;

// What can be read can be written, and says the same again.
template <class T> void read(std::span<std::byte const> bytes) {
  try {
    auto const written = tractor::encode(tractor::decode<T>(bytes));
    auto const again = tractor::encode(tractor::decode<T>(written.bytes()));
    auto const text = [](tractor::Buffer const& buffer) {
      return std::string_view(reinterpret_cast<char const*>(buffer.data()), buffer.size());
    };
    if (text(written) != text(again)) __builtin_trap();
  } catch (tractor::DecodeError const&) {}
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  auto const bytes = std::as_bytes(std::span(data, size));
  read<Ask>(bytes);
  read<State>(bytes);
  read<Taken>(bytes);
  read<OnLink>(bytes);
  std::string_view const topic(reinterpret_cast<char const*>(data), size);
  for (char const kind : {subject_topic, subscriber_topic})
    if (auto const name = name_in(topic, kind); name && make_topic(kind, *name) != topic)
      __builtin_trap();
  return 0;
}
