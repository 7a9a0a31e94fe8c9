// SPDX-License-Identifier: BSL-1.0
// Classes that travel by a codec of their own.
#include "types.hpp"

#include <tractor/archive.hpp>
#include <tractor/dump.hpp>
#include <tractor/schema.hpp>
#include <tractor/serialisable.hpp>

#include <array>
#include <charconv>
#include <concepts>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using tractor::decode;
using tractor::DecodeError;
using tractor::dump;
using tractor::encode;
using tractor::schema_of;

namespace app {

// As generated code has it: not serialisable on cereal's model, but able to write itself.
struct Generated {
  virtual ~Generated() = default;
};

struct Quote : Generated {
  std::string text;

  bool operator==(Quote const& other) const { return text == other.text; }
};

// Of another library; ours could write it, too.
struct Price {
  int cents = 0;

  template <class Archive> void serialize(Archive& archive) { archive(cents); }

  bool operator==(Price const&) const = default;
};

}  // namespace app

// One for a whole family.
template <std::derived_from<app::Generated> T> struct tractor::Codec<T> {
  static constexpr std::string_view name = "plain text";

  static std::string const& encode(T const& value) { return value.text; }

  static T decode(std::span<std::byte const> bytes) {
    T value;
    value.text.assign(reinterpret_cast<char const*>(bytes.data()), bytes.size());
    if (value.text == "bad") throw std::runtime_error("no such quote");
    return value;
  }
};

template <> struct tractor::Codec<app::Price> {
  static constexpr std::string_view name = "digits";

  static std::array<char, 4> encode(app::Price const& price) {
    std::array<char, 4> digits{'0', '0', '0', '0'};
    std::to_chars(digits.data() + (price.cents < 1000), digits.data() + 4, price.cents);
    return digits;
  }

  static app::Price decode(std::span<std::byte const> bytes) {
    app::Price price;
    auto const* const text = reinterpret_cast<char const*>(bytes.data());
    std::from_chars(text, text + bytes.size(), price.cents);
    return price;
  }
};

namespace {

app::Quote quote(std::string text) {
  app::Quote quote;
  quote.text = std::move(text);
  return quote;
}

}  // namespace

TEST_CASE("a class travels by its codec, alone and within others") {
  static_assert(tractor::serialisable<app::Quote>);
  static_assert(tractor::serialisable<std::map<std::string, std::vector<app::Price>>>);
  auto const frame = encode(quote("abc"));
  CHECK(frame.size() == 4);
  CHECK(decode<app::Quote>(frame.bytes()) == quote("abc"));
  std::map<std::string, std::vector<app::Price>> const prices{{"a", {{1234}, {5000}}}, {"b", {}}};
  auto const all = encode(prices);
  CHECK(all.size() == 1 + 2 + 1 + 2 * 5 + 2 + 1);
  CHECK(decode<std::map<std::string, std::vector<app::Price>>>(all.bytes()) == prices);
}

TEST_CASE("the codec is a part of the schema") {
  CHECK(schema_of<app::Quote>() == "app::Quote{codec plain text}");
  CHECK(schema_of<std::pair<app::Price, app::Price>>() ==
        "tuple<app::Price{codec digits}, app::Price>");
}

TEST_CASE("what a codec has made is dumped as bytes") {
  CHECK(dump(std::pair(quote("abc"), app::Price{1234})) == R"(["0x616263", "0x31323334"])");
}

TEST_CASE("a codec that cannot read what came is told with its name") {
  std::string said;
  try {
    decode<std::vector<app::Quote>>(encode(std::vector{quote("good"), quote("bad")}).bytes());
  } catch (DecodeError const& error) {
    said = error.what();
  }
  CHECK(said.find("cannot decode app::Quote at byte 7 of 10: its codec plain text says: no such "
                  "quote") != std::string::npos);
  CAPTURE(said);
  auto const frame = encode(quote("abc"));
  for (std::size_t size = 0; size < frame.size(); ++size)
    CHECK_THROWS_AS(decode<app::Quote>(frame.bytes().first(size)), DecodeError);
}
