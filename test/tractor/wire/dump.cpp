// SPDX-License-Identifier: BSL-1.0
// Messages for people: what a dump shows, and where it stops if it cannot go on.
#include "../../sanitized.hpp"
#include "counted_new.hpp"
#include "types.hpp"

#include <tractor/context.hpp>
#include <tractor/dialog.hpp>
#include <tractor/dump.hpp>
#include <tractor/protocol.hpp>
#include <tractor/wire_errors.hpp>
#include <trio/run.hpp>

#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <variant>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using tractor::Buffer;
using tractor::dump;
using tractor::encode;
using tractor::schema_of;

namespace {

struct Order {
  std::uint64_t id = 7;
  std::string item = "a \"b\"\n\x01 \xc3\xa9 \xff";
  std::vector<app::Point> where{{1, 2}, {-3, 4}};
  std::vector<app::Empty> nothings{{}, {}};
  std::map<std::string, std::optional<double>> prices{{"x", 0.5}, {"y", {}}};
  std::map<int, bool> flags{{1, true}};
  std::variant<std::monostate, std::string, app::Named> what{app::Named{"label", {{5, 6}}}};
  std::shared_ptr<app::Point> shared = std::make_shared<app::Point>();
  std::shared_ptr<app::Point> same = shared;
  std::vector<app::Versioned> versioned{{8, 0}, {9, 0}};
  app::Diamond diamond;
  std::vector<app::Diamond> diamonds{2};
  app::Tree tree;
  tractor::Bytes bytes{std::string("bytes")};

  template <class Archive> void serialize(Archive& archive) {
    archive(CEREAL_NVP(id), CEREAL_NVP(item), CEREAL_NVP(where), CEREAL_NVP(nothings),
            CEREAL_NVP(prices), CEREAL_NVP(flags), CEREAL_NVP(what), CEREAL_NVP(shared),
            CEREAL_NVP(same), CEREAL_NVP(versioned), CEREAL_NVP(diamond), CEREAL_NVP(diamonds),
            CEREAL_NVP(tree), bytes);
  }
};

Order order() {
  Order value;
  value.tree.name = "root";
  value.tree.children.resize(1);
  value.tree.sibling = std::make_unique<app::Tree>();
  return value;
}

constexpr char const* order_text =
    R"({"id": 7, "item": "a \"b\"\n\u0001 )"
    "\xc3\xa9"
    R"( \u00ff", "where": [[1, 2], [-3, 4]], "nothings": [{}, {}], )"
    R"("prices": {"x": 0.5, "y": null}, "flags": [[1, true]], )"
    R"("what": {"2 app::Named": {"label": "label", "where": [[5, 6]]}}, )"
    R"("shared": [0, 0], "same": "shared object 0, as before", "versioned": [[8], [9]], )"
    R"("diamond": {"app::Left": {"app::Point": [0, 0], "1": 0}, "app::Right": {"1": 0}}, )"
    R"("diamonds": [{"app::Left": {"app::Point": [0, 0], "1": 0}, "app::Right": {"1": 0}}, )"
    R"({"app::Left": {"app::Point": [0, 0], "1": 0}, "app::Right": {"1": 0}}], )"
    R"("tree": ["root", [["", [], null]], ["", [], null]], "13": "0x6279746573"})";

std::string without_remark(std::string const& dumped) {
  auto const remark = dumped.rfind("<stopped at byte ");
  REQUIRE_MESSAGE(remark != std::string::npos, dumped);
  return dumped.substr(0, remark > 0 ? remark - 1 : 0);
}

struct Talk {
  using Started = app::Point;
  using ToCallee = std::vector<int>;
  using ToCaller = app::Named;
};

int endpoint(tractor::Context<Talk>&, app::Point, std::string const&) { return 0; }

struct Alike : tractor::Protocol<tractor::ToCallee<app::Point>, tractor::ToCaller<bool>> {};

tractor::Finished<Alike> dialog(tractor::CalleeDialog<Alike> with, app::Point, int) {
  auto [point, rest] = std::move(with).receive();
  return std::move(rest).send(point.x == 0).finish();
}

app::Named plain(int, app::Named) { return {}; }

void none() {}

}  // namespace

TEST_CASE("values are shown in the notation of JSON") {
  CHECK(dump(true) == "true");
  CHECK(dump('x') == "\"x\"");
  CHECK(dump(U'\U0001f600') == R"("\ud83d\ude00")");
  CHECK(dump(std::int8_t{-5}) == "-5");
  CHECK(dump(std::numeric_limits<long long>::min()) == "-9223372036854775808");
  CHECK(dump(~std::uint64_t{0}) == "18446744073709551615");
  CHECK(dump(0.1) == "0.1");
  CHECK(dump(1.5f) == "1.5");
  CHECK(dump(std::numeric_limits<double>::infinity()) == "\"inf\"");
  CHECK(dump(std::byte{200}) == "200");
  CHECK(dump(app::Colour::blue) == "1");
  CHECK(dump(std::string()) == "\"\"");
  CHECK(dump(std::u16string(u"a\u00e9")) == R"("a\u00e9")");
  CHECK(dump(std::deque<bool>{true, false}) == "[true, false]");
  CHECK(dump(std::set<std::string>{"b", "a"}) == R"(["a", "b"])");
  CHECK(dump(std::array<std::array<int, 2>, 2>{{{1, 2}, {3, 4}}}) == "[[1, 2], [3, 4]]");
  CHECK(dump(std::tuple<int, std::string, std::monostate>{1, "x", {}}) == R"([1, "x", null])");
  CHECK(dump(std::variant<int, bool>{true}) == R"({"1 bool": true})");
  CHECK(dump(std::make_unique<int>(5)) == "5");
  CHECK(dump(std::bitset<12>(0xabc)) == "\"101010111100\"");
  CHECK(dump(-5ms) == "\"-5 ms\"");
  CHECK(dump(std::chrono::duration<double, std::ratio<2, 3>>(1.5)) == "\"1.5 times 2/3 s\"");
  CHECK(dump(std::chrono::sys_seconds(9s)) == "\"9 s\"");
  CHECK(dump(std::filesystem::path("/tmp")) == "\"/tmp\"");
  CHECK(dump(app::Block{}) ==
        "[0, <stopped at byte 1 of 1: the schema does not tell how many raw "
        "bytes a class has written>");
  CHECK(dump(order()) == order_text);
  CHECK(dump(schema_of<void>(), {}) == "null");
}

TEST_CASE("a signature shows arguments, of a context and a dialog too") {
  auto const arguments = encode(app::Point{1, 2}, std::string("x"));
  CHECK(dump(tractor::signature_text<endpoint>(), arguments.bytes()) == R"([[1, 2], "x"])");
  CHECK(dump(tractor::signature_text<dialog>(), encode(app::Point{1, 2}, 3).bytes()) ==
        "[[1, 2], 3]");
  CHECK(dump(tractor::signature_text<plain>(), encode(4, app::Named{"n", {}}).bytes()) ==
        R"([4, {"label": "n", "where": []}])");
  CHECK(dump(tractor::signature_text<none>(), {}) == "[]");
}

TEST_CASE("what is cut short is shown up to there") {
  Buffer const frame = encode(order());
  std::string const schema = schema_of<Order>();
  for (std::size_t size = 0; size < frame.size(); ++size) {
    std::string const dumped = dump(schema, frame.bytes().first(size));
    CHECK(std::string(order_text).starts_with(without_remark(dumped)));
  }
  CHECK(dump("tuple<i32, i32>", encode(1, std::uint16_t{2}).bytes()) ==
        "[1, <stopped at byte 4 of 6: 4 bytes were wanted and 2 remained>");
}

TEST_CASE("a dump says what is wrong, and where") {
  auto const ends = [](std::string const& dumped, std::string const& how) {
    CHECK_MESSAGE(dumped.ends_with(how + ">"), dumped);
  };
  ends(dump("i8", encode(5).bytes()),
       "5 <stopped at byte 1 of 4: 3 more bytes than the schema has");
  ends(dump("bool", encode('\2').bytes()), "byte 1 of 1: a bool is 0 or 1, this is 2");
  ends(dump("variant<i8>", encode('\7').bytes()), "alternative 7 of 1");
  ends(dump("shared<i8>", encode('\2').bytes()), "a reference to shared object 0 of 0");
  ends(dump("app::NoDefault{?}", encode(1).bytes()),
       "the schema does not tell what a app::NoDefault consists of");
  ends(dump("app::Versioned{version 6 i32}", encode(app::Versioned{}).bytes()),
       "version 7 of app::Versioned, of which the schema has version 6");
  ends(dump("", {}), "character 0 of the schema, where a type was expected");
  ends(dump("list<i32", {}), "character 8 of the schema, where ', ' was expected");
  ends(dump("list<i32, i32>", {}), "where another number of types was expected");
  ends(dump("i33", {}), "character 0 of the schema, where a type was expected");
  ends(dump("i32 rubbish", {}), "where the end was expected");
  ends(dump("duration<i\n32>*1/1", {}), "where a printable character was expected");
}

TEST_CASE("classes of any name are recognised") {
  struct Local {
    int x = 1;

    void serialize(tractor::SchemaArchive& archive) { archive(x); }

    void serialize(tractor::OutputArchive& archive) { archive(x); }

    void serialize(tractor::InputArchive& archive) { archive(x); }
  };

  auto const lambda = [] {
    struct Inner : Local {};

    return std::vector<Inner>(2);
  };
  CHECK(dump(std::vector<Local>(2)) == "[[1], [1]]");
  CHECK(dump(lambda()) == "[[1], [1]]");
  CHECK(dump(app::Box<std::map<std::string, app::Box<int>>>{{{"k", {5}}}}) == R"([{"k": [5]}])");
}

TEST_CASE("no more is kept of a dump than was asked for") {
  std::vector<int> const numbers(100'000, 7);
  CHECK(dump("list<i32>", encode(numbers).bytes(), 10) ==
        "[7, 7, 7, <stopped at byte 19 of 400003: the dump is longer than 10 bytes>");
  // Of nothing there may be much.
  CHECK(dump("array<none>[18446744073709551615]", {}).size() < tractor::longest_dump + 100);
  std::string doubling = "A0{}";
  for (int i = 1; i < 60; ++i)
    doubling = "A" + std::to_string(i) + "{" + doubling + " A" + std::to_string(i - 1) + "}";
  CHECK(dump(doubling, {}).size() < tractor::longest_dump + 100);
}

TEST_CASE("neither deep values nor deep schemas overflow the stack") {
  trio::RunOptions options;
  // AddressSanitizer has frames ten times as large.
  if constexpr (support::sanitized) options.stack_size *= 10;
  trio::run(options, [] {
    std::string const deep(100'000, '\1');
    CHECK(dump("A{pointer<A>}", std::as_bytes(std::span(deep))).ends_with("nests too deep>"));
    std::string schema;
    for (int i = 0; i < 100'000; ++i) schema += "list<";
    CHECK(dump(schema, {}).ends_with("where less depth was expected>"));
    std::string classes;
    for (int i = 0; i < 100'000; ++i) classes += "A" + std::to_string(i) + "{";
    CHECK(dump(classes, {}).ends_with("where less depth was expected>"));
  });
}

TEST_CASE("rubbish is dumped as far as it goes, in little memory") {
  std::mt19937 random(20261126);
  Buffer const frame = encode(order());
  std::string const schema = schema_of<Order>();
  for (int round = 0; round < 4'000; ++round) {
    std::string noisy_schema = schema;
    Buffer noisy(frame.size());
    std::memcpy(noisy.data(), frame.data(), frame.size());
    for (unsigned changes = random() % 4; changes > 0; --changes)
      noisy.data()[random() % noisy.size()] = static_cast<std::byte>(random());
    for (unsigned changes = random() % 4; changes > 0; --changes)
      noisy_schema[random() % schema.size()] = schema[random() % schema.size()];
    CountedNew const counted;
    std::string const dumped = dump(noisy_schema, noisy.bytes(), 2000);
    CHECK(!dumped.empty());
    if (counted.total() > 200'000) FAIL("dumping allocated " << counted.total() << " bytes");
  }
  // What can be decoded is shown to its end; but for a version, of which the schema has only ours.
  std::size_t decoded = 0;
  for (int round = 0; round < 4'000; ++round) {
    Buffer noisy(frame.size());
    std::memcpy(noisy.data(), frame.data(), frame.size());
    noisy.data()[random() % noisy.size()] = static_cast<std::byte>(random());
    try {
      tractor::decode<Order>(noisy.bytes());
    } catch (tractor::DecodeError const&) {
      continue;
    }
    ++decoded;
    std::string const dumped = dump(schema, noisy.bytes());
    if (dumped.find("<stopped") != std::string::npos &&
        dumped.find(", of which the schema has version ") == std::string::npos)
      FAIL(dumped);
  }
  CHECK(decoded > 200);
  for (char const* type : {"string", "list<i32>", "list<byte>", "path", "map<i32, i32>",
                           "bits[999]", "X{size}", "string<c32>", "list<none>"}) {
    Buffer const lie = encode(~std::uint64_t{0}, ~std::uint16_t{0});
    CountedNew const counted;
    CHECK(dump(type, lie.bytes()).find("<stopped at byte ") != std::string::npos);
    CHECK(counted.total() < 4096);
  }
}
