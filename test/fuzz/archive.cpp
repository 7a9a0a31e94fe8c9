// SPDX-License-Identifier: BSL-1.0
// Whatever bytes come as a value: one, or a DecodeError. And whatever bytes and schema are to be
// dumped: a text of no more than was asked for, whole if the bytes are such a value.
#include "../tractor/wire/everything.hpp"

#include <tractor/archive.hpp>
#include <tractor/dump.hpp>
#include <tractor/schema.hpp>
#include <tractor/wire_errors.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tuple>

namespace {

// Room for the remark at the end.
constexpr std::size_t longest = 2'000;
constexpr std::size_t remark = 1'000;

using Plain = std::tuple<std::map<std::string, app::Named>, std::vector<app::Tree>,
                         std::variant<std::monostate, app::Diamond, std::vector<app::Empty>>,
                         std::shared_ptr<app::Point>, std::shared_ptr<app::Point>,
                         std::optional<std::u16string>, std::bitset<12>, std::vector<double>>;

template <class T> bool decodes(std::span<std::byte const> bytes) {
  try {
    // What can be read can be written, and is read again.
    tractor::decode<T>(tractor::encode(tractor::decode<T>(bytes)).bytes());
    return true;
  } catch (tractor::DecodeError const&) {
    return false;
  }
}

std::string dumped(std::string_view schema, std::span<std::byte const> bytes) {
  std::string text = tractor::dump(schema, bytes, longest);
  if (text.size() > longest + remark) __builtin_trap();
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  static std::string const plain_schema = tractor::schema_of<Plain>();
  static std::string const schema = tractor::schema_of<wire_test::Everything>();
  auto const bytes = std::as_bytes(std::span(data, size));
  decodes<wire_test::Everything>(bytes);
  dumped(schema, bytes);
  bool const cut = dumped(plain_schema, bytes).find("<stopped at byte ") != std::string::npos;
  if (decodes<Plain>(bytes) && size < 1000 && cut) __builtin_trap();
  // A schema of its own, and the bytes behind it.
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  std::size_t const end = std::min(text.find('\0'), size);
  dumped(text.substr(0, end), bytes.subspan(end));
  return 0;
}
