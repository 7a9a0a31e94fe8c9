// SPDX-License-Identifier: BSL-1.0
#include "types.hpp"

#include <tractor/archive.hpp>
#include <tractor/serialisable.hpp>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>

#include <doctest/doctest.h>

using tractor::Buffer;
using tractor::decode;
using tractor::DecodeError;
using tractor::encode;

namespace {

struct Board {
  char name[4] = {};
  app::Point corners[2];
  bool used[2][2] = {};

  template <class Archive> void serialize(Archive& archive) { archive(name, corners, used); }
};

struct Cycle {
  std::shared_ptr<Cycle> next;

  template <class Archive> void serialize(Archive& archive) { archive(next); }
};

struct Throws {
  explicit Throws(int value) { throw value; }

  std::string text;

  template <class Archive> void serialize(Archive&) {}
};

template <class T> void check_round_trip(T const& value) {
  CAPTURE(typeid(T).name());
  static_assert(tractor::serialisable<T>);
  Buffer const frame = encode(value);
  CHECK(decode<T>(frame.bytes()) == value);
}

std::string hexadecimal(Buffer const& buffer) {
  std::string text;
  for (std::byte const byte : buffer.bytes()) {
    if (!text.empty()) text += ' ';
    for (int shift : {4, 0}) text += "0123456789abcdef"[std::to_integer<int>(byte) >> shift & 15];
  }
  return text;
}

template <class... T> std::string bytes_of(T const&... values) {
  return hexadecimal(encode(values...));
}

// What decode<T> of `frame` says is wrong.
template <class T> std::string complaint(Buffer const& frame) {
  try {
    decode<T>(frame.bytes());
  } catch (DecodeError const& error) {
    return error.what();
  }
  return "nothing";
}

}  // namespace

TEST_CASE("the layout is what archive.hpp says") {
  CHECK(bytes_of(true, false) == "01 00");
  CHECK(bytes_of(std::int16_t{-2}, std::uint32_t{0x12345678}) == "fe ff 78 56 34 12");
  CHECK(bytes_of(1L) == bytes_of(1LL));
  CHECK(bytes_of(1.0f, -2.0) == "00 00 80 3f 00 00 00 00 00 00 00 c0");
  CHECK(bytes_of('a', u'b', app::Colour::blue, std::byte{9}) == "61 62 00 01 09");
  CHECK(bytes_of(std::string("abc")) == "03 61 62 63");
  CHECK(bytes_of(std::string(300, 'x')).substr(0, 8) == "ac 02 78");
  CHECK(bytes_of(std::vector<std::int16_t>{1, 2}) == "02 01 00 02 00");
  CHECK(bytes_of(std::vector<bool>{true, false, true}) == "03 01 00 01");
  CHECK(bytes_of(std::vector<app::Empty>(2)) == "02 00 00");
  CHECK(bytes_of(std::vector<std::string>{"", "a"}) == "02 00 01 61");
  CHECK(bytes_of(std::map<std::uint8_t, std::string>{{1, "a"}, {2, "b"}}) ==
        "02 01 01 61 02 01 62");
  CHECK(bytes_of(std::array<std::uint8_t, 2>{1, 2}) == "01 02");
  CHECK(bytes_of(std::tuple(std::uint8_t{1}, std::pair(true, 'a'))) == "01 01 61");
  CHECK(bytes_of(std::optional<std::uint8_t>(7), std::optional<int>()) == "01 07 00");
  CHECK(bytes_of(std::make_unique<std::uint8_t>(7), std::unique_ptr<int>()) == "01 07 00");
  CHECK(bytes_of(std::variant<int, std::uint8_t, std::monostate>(std::uint8_t{7})) == "01 07");
  CHECK(bytes_of(std::variant<int, std::monostate>(std::monostate())) == "01");
  CHECK(bytes_of(std::bitset<10>(0x203)) == "03 02");
  CHECK(bytes_of(std::chrono::duration<std::int16_t>(258)) == "02 01");
  CHECK(bytes_of(std::filesystem::path("/a")) == "02 2f 61");
  CHECK(bytes_of(tractor::Bytes(std::string("ab"))) == "02 61 62");
  CHECK(bytes_of(app::Point{1, 2}) == "01 00 00 00 02 00 00 00");
  CHECK(bytes_of(std::vector<app::Versioned>{{1, 0}, {2, 0}}) ==
        "02 07 00 00 00 01 00 00 00 02 00 00 00");
  auto const shared = std::make_shared<std::uint8_t>(std::uint8_t{5});
  auto const other = std::make_shared<std::uint8_t>(std::uint8_t{6});
  std::vector<std::shared_ptr<std::uint8_t>> const pointers{shared, other, nullptr, shared, other};
  CHECK(bytes_of(pointers) == "05 01 05 01 06 00 02 03");
}

TEST_CASE("numbers go round at their limits") {
  auto const extremes = []<class T>(T) {
    check_round_trip(std::numeric_limits<T>::min());
    check_round_trip(std::numeric_limits<T>::max());
    check_round_trip(std::numeric_limits<T>::lowest());
  };
  extremes(char{});
  extremes(static_cast<signed char>(0));
  extremes(static_cast<unsigned char>(0));
  extremes(short{});
  extremes(int{});
  extremes(0u);
  extremes(0L);
  extremes(0UL);
  extremes(0LL);
  extremes(0ULL);
  extremes(0.0f);
  extremes(0.0);
  extremes(wchar_t{});
  extremes(char16_t{});
  extremes(char32_t{});
  extremes(bool{});
  CHECK(std::isnan(decode<double>(encode(std::nan("")).bytes())));
  CHECK(std::signbit(decode<double>(encode(-0.0).bytes())));
}

TEST_CASE("the standard library's types go round") {
  check_round_trip(std::string("with \0 inside", 13));
  check_round_trip(std::u32string(U"wide"));
  check_round_trip(std::vector<int>());
  check_round_trip(std::vector<double>(100'000, 1.5));
  check_round_trip(std::vector<std::byte>(1'000'000, std::byte{7}));
  check_round_trip(std::vector<bool>{true, false, true});
  check_round_trip(std::vector<std::vector<std::string>>{{"a", ""}, {}, {"bc"}});
  check_round_trip(std::vector<app::Empty>(1000));
  check_round_trip(std::vector<std::array<int, 0>>(3));
  check_round_trip(std::deque<int>{1, 2, 3});
  check_round_trip(std::list<std::string>{"a", "b"});
  check_round_trip(std::set<std::string>{"a", "b"});
  check_round_trip(std::multiset<int>{1, 1, 2});
  check_round_trip(std::unordered_set<int>{1, 2, 3});
  check_round_trip(std::unordered_multiset<int>{1, 1, 3});
  check_round_trip(std::map<std::string, std::vector<int>>{{"a", {1}}, {"b", {}}});
  check_round_trip(std::map<app::Empty, app::Empty>{{{}, {}}});
  check_round_trip(std::multimap<int, std::string>{{1, "a"}, {1, "b"}});
  check_round_trip(std::unordered_map<std::string, int>{{"a", 1}, {"b", 2}});
  check_round_trip(std::unordered_multimap<int, int>{{1, 2}, {1, 3}});
  check_round_trip(std::array<std::string, 2>{"a", "b"});
  check_round_trip(std::array<bool, 2>{true, false});
  check_round_trip(std::array<int, 0>());
  check_round_trip(std::tuple<int, std::string, std::tuple<>>(1, "a", {}));
  check_round_trip(std::optional<std::optional<int>>(std::optional<int>()));
  check_round_trip(std::optional<std::string>("a"));
  check_round_trip(std::variant<int, std::string, std::monostate>("a"));
  check_round_trip(std::variant<int, int>(std::in_place_index<1>, 5));
  check_round_trip(std::monostate());
  check_round_trip(std::bitset<0>());
  check_round_trip(std::bitset<13>("1010101010101"));
  check_round_trip(std::chrono::nanoseconds(-5));
  check_round_trip(std::chrono::duration<double, std::ratio<60>>(1.5));
  check_round_trip(std::chrono::system_clock::now());
  check_round_trip(std::filesystem::path("/usr/../etc"));
  check_round_trip(tractor::Bytes(std::string("bytes")));
  check_round_trip(app::Colour::blue);
}

TEST_CASE("arrays go round as members") {
  Board const board{"abc", {{1, 2}, {3, 4}}, {{true, false}, {false, true}}};
  Buffer const frame = encode(board);
  CHECK(frame.size() == 4 + 16 + 4);
  auto const copy = decode<Board>(frame.bytes());
  CHECK(std::string(copy.name) == "abc");
  CHECK(copy.corners[1] == app::Point{3, 4});
  CHECK(copy.used[1][1]);
  CHECK(!copy.used[1][0]);
}

TEST_CASE("classes go round in each of cereal's forms") {
  check_round_trip(app::Point{1, -1});
  check_round_trip(app::Named{"a", {{1, 2}}});
  check_round_trip(app::Streamed{1, 2});
  check_round_trip(app::Ampersand{1, 2});
  check_round_trip(app::Minimal{-5});
  check_round_trip(app::Outside{1.5f});
  check_round_trip(app::OutsideSplit{1.5f});
  check_round_trip(app::OutsideMinimal{"a"});
  check_round_trip(app::VersionedSplit{5});
  check_round_trip(app::OutsideVersioned{5});
  check_round_trip(app::Derived{{1, 2}, true});
  check_round_trip(app::Chosen{{1, 2}, 3});
  check_round_trip(app::Block{{1, 2, 3}});
  check_round_trip(app::Box<std::optional<app::Named>>{app::Named{"b", {}}});
  check_round_trip(std::vector<app::VersionedSplit>{{1}, {2}});
  app::Polymorphic polymorphic;
  polymorphic.value = 5;
  check_round_trip(polymorphic);
}

TEST_CASE("a class's version is the one that CEREAL_CLASS_VERSION gave") {
  auto const loaded = decode<std::vector<app::Versioned>>(
      encode(std::vector<app::Versioned>{{1, 0}, {2, 0}}).bytes());
  REQUIRE(loaded.size() == 2);
  for (auto const& each : loaded) CHECK(each.seen == 7);
}

TEST_CASE("pointers own a copy of what they pointed to") {
  auto const tree = [] {
    app::Tree root;
    root.name = "root";
    root.children.resize(2);
    root.children[1].name = "second";
    root.sibling = std::make_unique<app::Tree>();
    return root;
  };
  CHECK(decode<app::Tree>(encode(tree()).bytes()) == tree());
  auto const made = decode<std::unique_ptr<app::Private>>(encode(app::Private::make(5)).bytes());
  REQUIRE(made);
  CHECK(made->value() == 5);
  auto const constant =
      decode<std::unique_ptr<int const>>(encode(std::make_unique<int const>(5)).bytes());
  CHECK(*constant == 5);
}

TEST_CASE("shared pointers share again") {
  using Pointers = std::vector<std::shared_ptr<app::Point>>;
  auto const one = std::make_shared<app::Point>(app::Point{1, 2});
  auto const loaded =
      decode<Pointers>(encode(Pointers{one, nullptr, one, std::make_shared<app::Point>()}).bytes());
  REQUIRE(loaded.size() == 4);
  CHECK(*loaded[0] == *one);
  CHECK(loaded[0] == loaded[2]);
  CHECK(!loaded[1]);
  CHECK(loaded[3] != loaded[0]);

  auto const cycle = std::make_shared<Cycle>();
  cycle->next = cycle;
  auto const again = decode<std::shared_ptr<Cycle>>(encode(cycle).bytes());
  CHECK(again->next == again);
  cycle->next.reset();
  again->next.reset();
}

TEST_CASE("a virtual base goes over the wire once in each object") {
  app::Diamond diamond;
  diamond.x = 1;
  diamond.left = 2;
  diamond.right = 3;
  CHECK(encode(diamond).size() == 4 * sizeof(int));
  check_round_trip(diamond);
  app::Diamond other = diamond;
  other.y = 9;
  check_round_trip(std::vector<app::Diamond>{diamond, other, diamond});
  // Keys and values are read into the same place one after the other.
  check_round_trip(std::map<int, app::Diamond>{{1, diamond}, {2, other}, {3, diamond}});
}

TEST_CASE("encoding takes what is not owned, too") {
  std::vector<double> const values{1, 2};
  CHECK(bytes_of(std::string_view("abc")) == bytes_of(std::string("abc")));
  CHECK(bytes_of(std::span<double const>(values)) == bytes_of(values));
}

TEST_CASE("an archive may be filled and read step by step") {
  tractor::OutputArchive output;
  output(1, std::string("a"));
  CHECK(output.size() == 6);
  output << 'b';
  Buffer const frame = output.take();
  CHECK(output.size() == 0);
  output(true);
  CHECK(output.take().size() == 1);

  tractor::InputArchive input(frame.bytes());
  int number = 0;
  std::string text;
  input(number, text);
  CHECK(number == 1);
  CHECK(text == "a");
  CHECK(input.remaining() == 1);
  CHECK_THROWS_AS(input.finish(), DecodeError);
  char last = 0;
  input >> last;
  CHECK(last == 'b');
  input.finish();
}

TEST_CASE("what is there already is replaced") {
  std::vector<std::string> texts{"old", "older"};
  std::map<int, int> map{{1, 1}};
  std::optional<int> number = 5;
  auto pointer = std::make_unique<int>(5);
  std::string text = "old";
  Buffer const frame = encode(std::vector<std::string>{"new"}, std::map<int, int>{{2, 2}},
                              std::optional<int>(), std::unique_ptr<int>(), std::string("new"));
  tractor::InputArchive(frame.bytes())(texts, map, number, pointer, text).finish();
  CHECK(texts == std::vector<std::string>{"new"});
  CHECK(map == std::map<int, int>{{2, 2}});
  CHECK(!number);
  CHECK(!pointer);
  CHECK(text == "new");
}

TEST_CASE("a decoding error says what, how many bytes were wanted and how many remained") {
  CHECK(complaint<int>(encode('a')) ==
        "tractor: cannot decode int at byte 0 of 1: 4 bytes were wanted and 1 remained");
  CHECK(complaint<std::string>(encode(std::uint8_t{100}, 'a')) ==
        "tractor: cannot decode std::string at byte 1 of 2: 100 bytes were wanted and 1 remained");
  CHECK(complaint<char>(encode('a', 'b', 'c')) ==
        "tractor: 2 of the frame's 3 bytes remain after the value: the sender wrote another type");
  CHECK(complaint<bool>(encode('\2')).ends_with("a bool is 0 or 1, this is 2"));
  CHECK(complaint<std::variant<int, char>>(encode('\2')).ends_with("alternative 2 of 2"));
  CHECK(complaint<std::vector<app::Empty>>(encode('\1', '\1'))
            .ends_with("an empty element is written as 0, not 1"));
  CHECK(complaint<std::shared_ptr<int>>(encode('\2')).ends_with("shared object 0 of 0"));
  std::string const endless(10, '\xff');
  CHECK(complaint<std::string>(Buffer::adopt(endless)).ends_with("a size of more than 64 bits"));
}

TEST_CASE("a reference to a shared object of another type is refused") {
  using Pointers = std::pair<std::shared_ptr<std::int64_t>, std::shared_ptr<std::string>>;
  Buffer const frame = encode('\1', std::int64_t{5}, '\2');
  CHECK(complaint<Pointers>(frame).ends_with("a shared object of another type"));
}

TEST_CASE("what no receiver accepts is not sent") {
  std::variant<int, Throws> valueless;
  try {
    valueless.emplace<1>(1);
  } catch (int) {}
  REQUIRE(valueless.valueless_by_exception());
  CHECK_THROWS_AS(encode(valueless), tractor::EncodeError);
}

TEST_CASE("nesting is bounded at both ends") {
  auto const chain = [](unsigned depth) {
    app::Tree root;
    for (unsigned i = 1; i < depth; ++i) {
      auto outer = std::make_unique<app::Tree>();
      outer->sibling = std::make_unique<app::Tree>(std::move(root));
      root = std::move(*outer);
    }
    return root;
  };
  auto const deep = chain(tractor::max_nesting);
  CHECK(decode<app::Tree>(encode(deep).bytes()) == deep);
  CHECK_THROWS_AS(encode(chain(tractor::max_nesting + 1)), tractor::EncodeError);
  // Each level: no name, no children, a sibling.
  std::string hostile;
  for (int i = 0; i < 100'000; ++i) hostile += std::string("\0\0\1", 3);
  CHECK(complaint<app::Tree>(Buffer::adopt(hostile)).find("more than 100 objects") !=
        std::string::npos);
}

static_assert(!tractor::serialisable<int*>);
static_assert(!tractor::serialisable<long double>);
static_assert(!tractor::serialisable<std::string_view>);
static_assert(!tractor::serialisable<std::vector<std::span<int>>>);
static_assert(!tractor::serialisable<std::unique_ptr<app::Polymorphic>>);
static_assert(!tractor::serialisable<std::shared_ptr<app::Polymorphic>>);
static_assert(!tractor::serialisable<std::unique_ptr<int[]>>);
static_assert(!tractor::serialisable<std::weak_ptr<int>>);
static_assert(!tractor::serialisable<app::NoDefault>);
static_assert(!tractor::serialisable<std::optional<app::NoDefault>>);
static_assert(!tractor::serialisable<app::Private>);
static_assert(tractor::serialisable<std::unique_ptr<app::Private>>);
static_assert(!tractor::serialisable<std::map<int, std::vector<std::chrono::steady_clock>>>);
