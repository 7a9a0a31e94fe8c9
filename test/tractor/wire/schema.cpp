// SPDX-License-Identifier: BSL-1.0
// The texts are golden: programs of different compilers compare their hashes.
#include "types.hpp"

#include <tractor/schema.hpp>

#include <chrono>
#include <filesystem>

#include <doctest/doctest.h>

using tractor::schema_of;
using tractor::signature_text;

namespace {

int add(int, int) { return 0; }

void nothing() {}

std::vector<app::Point> views(std::string_view, std::span<double const>, std::span<int const, 2>) {
  return {};
}

app::Point references(app::Point const&, std::string&&, app::Point) { return {}; }

}  // namespace

namespace app {

struct Renamed {
  int x = 0;

  template <class Archive> void serialize(Archive& archive) { archive(x); }
};

}  // namespace app

template <> inline constexpr std::string_view tractor::wire_name<app::Renamed> = "app::Original";

TEST_CASE("numbers are described by their width") {
  CHECK(schema_of<bool>() == "bool");
  CHECK(schema_of<char>() == "c8");
  CHECK(schema_of<signed char>() == "i8");
  CHECK(schema_of<unsigned char>() == "u8");
  CHECK(schema_of<short>() == "i16");
  CHECK(schema_of<int>() == "i32");
  CHECK(schema_of<long>() == "i64");
  CHECK(schema_of<long long>() == "i64");
  CHECK(schema_of<std::size_t>() == "u64");
  CHECK(schema_of<float>() == "f32");
  CHECK(schema_of<double>() == "f64");
  CHECK(schema_of<char16_t>() == "c16");
  CHECK(schema_of<wchar_t>() == "c32");
  CHECK(schema_of<std::byte>() == "byte");
  CHECK(schema_of<app::Colour>() == "enum app::Colour:u8");
}

TEST_CASE("the standard library's types are described by what they are on the wire") {
  CHECK(schema_of<std::string>() == "string");
  CHECK(schema_of<std::u16string>() == "string<c16>");
  CHECK(schema_of<std::vector<std::string>>() == "list<string>");
  CHECK(schema_of<std::deque<bool>>() == "list<bool>");
  CHECK(schema_of<std::list<int>>() == "list<i32>");
  CHECK(schema_of<std::set<int>>() == "set<i32>");
  CHECK(schema_of<std::unordered_set<int>>() == "set<i32>");
  CHECK(schema_of<std::multiset<int>>() == "multiset<i32>");
  CHECK(schema_of<std::map<int, bool>>() == "map<i32, bool>");
  CHECK(schema_of<std::unordered_map<int, bool>>() == "map<i32, bool>");
  CHECK(schema_of<std::unordered_multimap<int, bool>>() == "multimap<i32, bool>");
  CHECK(schema_of<std::array<float, 4>>() == "array<f32>[4]");
  CHECK(schema_of<int[2][3]>() == "array<array<i32>[3]>[2]");
  CHECK(schema_of<std::array<int, 0>>() == "array<i32>[0]");
  CHECK(schema_of<std::tuple<int, std::string>>() == "tuple<i32, string>");
  CHECK(schema_of<std::pair<int const, bool>>() == "tuple<i32, bool>");
  CHECK(schema_of<std::optional<int>>() == "optional<i32>");
  CHECK(schema_of<std::variant<std::monostate, int>>() == "variant<none, i32>");
  CHECK(schema_of<std::unique_ptr<int>>() == "pointer<i32>");
  CHECK(schema_of<std::shared_ptr<int>>() == "shared<i32>");
  CHECK(schema_of<std::bitset<9>>() == "bits[9]");
  CHECK(schema_of<std::chrono::milliseconds>() == "duration<i64>*1/1000");
  CHECK(schema_of<std::chrono::sys_seconds>() ==
        "time on std::chrono::_V2::system_clock duration<i64>*1/1");
  CHECK(schema_of<std::filesystem::path>() == "path");
  CHECK(schema_of<tractor::Bytes>() == schema_of<std::vector<std::byte>>());
}

TEST_CASE("classes are described by what they serialise") {
  CHECK(schema_of<app::Empty>() == "app::Empty{}");
  CHECK(schema_of<app::Point>() == "app::Point{i32 i32}");
  CHECK(schema_of<app::Named>() == "app::Named{label:string where:list<app::Point{i32 i32}>}");
  CHECK(schema_of<app::Streamed>() == "app::Streamed{i32 i32}");
  CHECK(schema_of<app::Ampersand>() == "app::Ampersand{i32 i32}");
  CHECK(schema_of<app::Minimal>() == "app::Minimal{i64}");
  CHECK(schema_of<app::Outside>() == "app::Outside{f32}");
  CHECK(schema_of<app::OutsideSplit>() == "app::OutsideSplit{f32}");
  CHECK(schema_of<app::OutsideMinimal>() == "app::OutsideMinimal{string}");
  CHECK(schema_of<app::Versioned>() == "app::Versioned{version 7 i32}");
  CHECK(schema_of<app::VersionedSplit>() == "app::VersionedSplit{version 0 i32 u32}");
  CHECK(schema_of<app::Derived>() == "app::Derived{base app::Point{i32 i32} bool}");
  CHECK(schema_of<app::Diamond>() ==
        "app::Diamond{base app::Left{virtual base app::Point{i32 i32} i32} base "
        "app::Right{virtual base app::Point i32}}");
  CHECK(schema_of<app::Chosen>() == "app::Chosen{i32 i32 i32}");
  CHECK(schema_of<app::Tree>() == "app::Tree{string list<app::Tree> pointer<app::Tree>}");
  CHECK(schema_of<app::Block>() == "app::Block{size bytes}");
  CHECK(schema_of<app::Box<std::string>>() == "app::Box<std::string>{string}");
  CHECK(schema_of<app::Box<unsigned long>>() == "app::Box<unsigned long>{u64}");
  CHECK(schema_of<app::Renamed>() == "app::Original{i32}");
}

TEST_CASE("what a class does not say is not described") {
  // As a default object has it, and by name alone.
  CHECK(schema_of<app::Conditional>() == "app::Conditional{bool}");
  CHECK(schema_of<std::vector<app::NoDefault>>() == "list<app::NoDefault{?}>");
  CHECK(schema_of<std::unique_ptr<app::Private>>() == "pointer<app::Private{?}>");
}

TEST_CASE("signatures show what travels") {
  CHECK(signature_text<add>() == "i32 (i32, i32)");
  CHECK(signature_text<nothing>() == "void ()");
  CHECK(signature_text<views>() == "list<app::Point{i32 i32}> (string, list<f64>, array<i32>[2])");
  CHECK(signature_text<references>() == "app::Point{i32 i32} (app::Point, string, app::Point)");
  CHECK(signature_text<[](app::Tree) { return true; }>() ==
        "bool (app::Tree{string list<app::Tree> pointer<app::Tree>})");
  CHECK(signature_text<tractor::named<"sum", add>>() == signature_text<add>());
}

TEST_CASE("the hash is FNV-1a") {
  CHECK(tractor::signature_hash("") == 0xcbf29ce484222325);
  CHECK(tractor::signature_hash("a") == 0xaf63dc4c8601ec8c);
  CHECK(tractor::signature_hash("foobar") == 0x85944171f73967e8);
}
