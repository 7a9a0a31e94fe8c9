// SPDX-License-Identifier: BSL-1.0
#include "types.hpp"

#include <tractor/function.hpp>

#include <doctest/doctest.h>

using tractor::arguments_of;
using tractor::Buffer;
using tractor::encode_arguments;
using tractor::invoke_encoded;
using tractor::result_of;
using tractor::detail::remote_call_ok;
using tractor::detail::remote_context_ok;
using tractor::detail::remote_function_ok;

namespace {

// Calls F from bytes to bytes.
template <auto F, class... A> result_of<F> call(A&&... arguments) {
  static_assert(remote_call_ok<F, A...>);
  Buffer result = invoke_encoded<F>(encode_arguments<F>(std::forward<A>(arguments)...));
  if constexpr (std::is_void_v<result_of<F>>)
    CHECK(result.empty());
  else
    return tractor::decode<result_of<F>>(std::move(result));
}

int add(int a, int b) { return a + b; }

int quiet(int a) noexcept { return a; }

int calls = 0;

void count() { ++calls; }

int over(int) { return 1; }

int over(std::string const&) { return 2; }

template <class T> T twice(T value) { return value + value; }

std::size_t length(std::string_view text) { return text.size(); }

double sum(std::span<double const> values) {
  double total = 0;
  for (double const value : values) total += value;
  return total;
}

int sum_of_three(std::span<int const, 3> values) { return values[0] + values[1] + values[2]; }

std::string join(std::string a, std::string const& b, std::string&& c, std::string const d) {
  return a + b + c + d;
}

std::unique_ptr<int> increment(std::unique_ptr<int> value) {
  ++*value;
  return value;
}

tractor::Bytes echo(tractor::Bytes bytes) { return bytes; }

[[noreturn]] void fail() { throw std::runtime_error("failed"); }

struct Adder {
  int by;

  int operator()(int a) const { return a + by; }
};

// Reports how often it was copied.
struct Costly {
  static inline int copies = 0;

  Costly() = default;
  Costly(Costly&&) = default;
  Costly& operator=(Costly&&) = default;

  Costly(Costly const&) { ++copies; }

  Costly& operator=(Costly const&) {
    ++copies;
    return *this;
  }

  ~Costly() = default;

  template <class Archive> void serialize(Archive&) {}
};

Costly take(Costly, Costly const&, Costly&&, std::vector<Costly> many) {
  return std::move(many.at(0));
}

// Stands for a context, which the callee's runtime makes.
struct Supplied {
  int base;
};

}  // namespace

template <> inline constexpr bool tractor::supplied_by_callee<Supplied&> = true;

template <> struct tractor::SuppliedByCallee<Supplied&> {
  using error = void;
};

namespace {

int with_supplied(Supplied& supplied, int a) { return supplied.base += a; }

static_assert(std::is_same_v<arguments_of<with_supplied>, std::tuple<int>>);
static_assert(remote_context_ok<with_supplied, int>);
static_assert(!remote_context_ok<with_supplied, Supplied&, int>);
static_assert(!remote_call_ok<with_supplied, int>);

static_assert(std::is_same_v<arguments_of<join>,
                             std::tuple<std::string, std::string, std::string, std::string>>);
static_assert(std::is_same_v<arguments_of<sum>, std::tuple<std::vector<double>>>);
static_assert(std::is_same_v<arguments_of<sum_of_three>, std::tuple<std::array<int, 3>>>);
static_assert(std::is_same_v<result_of<[]() -> app::Point const { return {}; }>, app::Point>);
static_assert(std::is_same_v<result_of<&add>, int>);

static_assert(remote_call_ok<add, int, int>);
static_assert(remote_call_ok<add, char, double>);
static_assert(!remote_call_ok<add, int>);
static_assert(!remote_call_ok<add, int, int, int>);
static_assert(!remote_call_ok<add, int, char const*>);
static_assert(remote_call_ok<length, char const (&)[3]>);
static_assert(!remote_call_ok<length, int>);
static_assert(remote_call_ok<sum, std::vector<double> const&>);
static_assert(remote_call_ok<sum_of_three, std::array<int, 3>&>);
static_assert(remote_call_ok<increment, std::unique_ptr<int>>);
static_assert(!remote_call_ok<increment, std::unique_ptr<int>&>);
static_assert(!remote_function_ok<&app::Private::value>);
static_assert(!remote_function_ok<&app::Point::x>);
static_assert(!remote_function_ok<5>);
static_assert(!remote_function_ok<[](auto) {}>);
static_assert(!remote_function_ok<[](int) mutable {}>);
static_assert(!remote_function_ok<[](app::NoDefault const&) {}>);
static_assert(!remote_function_ok<[]() -> int* { return nullptr; }>);
static_assert(!remote_function_ok<[](std::initializer_list<int>) {}>);

}  // namespace

namespace app {

// Nobody defines it. That this program links says that it can call what only others contain.
[[gnu::weak]] int far_away(Point const& point, std::vector<std::string> texts);

}  // namespace app

TEST_CASE("functions of all kinds are called from bytes to bytes") {
  CHECK(call<add>(1, 2) == 3);
  CHECK(call<&add>('\1', 2.5) == 3);
  CHECK(call<quiet>(5) == 5);
  CHECK(call<tractor::pick<int(int)>(over)>(5) == 1);
  CHECK(call<tractor::pick<int(std::string const&)>(over)>("5") == 2);
  CHECK(call<twice<std::string>>("ab") == "abab");
  CHECK(call<Adder{3}>(4) == 7);
  CHECK(call<[](int a, int b) { return a - b; }>(5, 3) == 2);
  CHECK(call<tractor::named<"sum", add>>(1, 2) == 3);
  CHECK(call<tractor::named<"by five", Adder{5}>>(1) == 6);
  call<count>();
  CHECK(calls == 1);
}

TEST_CASE("parameters of all kinds get their values") {
  std::string const text = "b";
  CHECK(call<join>("a", text, std::string("c"), std::string_view("d").data()) == "abcd");
  CHECK(call<length>("text") == 4);
  CHECK(call<length>(text) == 1);
  CHECK(call<sum>(std::vector<double>{1, 2}) == 3);
  double const array[] = {1, 2, 3};
  CHECK(call<sum>(array) == 6);
  CHECK(call<sum_of_three>(std::array<int, 3>{1, 2, 3}) == 6);
  CHECK(*call<increment>(std::make_unique<int>(5)) == 6);
  CHECK(call<echo>(tractor::Bytes(std::string("bytes"))).text() == "bytes");
}

TEST_CASE("no argument or result is copied on its way") {
  Costly::copies = 0;
  Costly costly;
  std::vector<Costly> const many(2);
  call<take>(costly, costly, std::move(costly), many);
  CHECK(Costly::copies == 0);
}

TEST_CASE("a large argument of bytes is not copied out of its frame") {
  Buffer arguments = encode_arguments<echo>(tractor::Bytes(std::string(1000, 'x')));
  std::byte const* const begin = arguments.data();
  arguments_of<echo> decoded;
  std::size_t const size = arguments.size();
  tractor::InputArchive(std::move(arguments))(decoded).finish();
  auto const& bytes = std::get<0>(decoded);
  CHECK(bytes.data() + bytes.size() == begin + size);
}

TEST_CASE("a parameter that the callee supplies does not travel") {
  Supplied supplied{10};
  Buffer const result = invoke_encoded<with_supplied>(encode_arguments<with_supplied>(5), supplied);
  CHECK(tractor::decode<int>(result.bytes()) == 15);
  CHECK(supplied.base == 15);
}

TEST_CASE("a call with bytes that are no arguments does not happen") {
  calls = 0;
  CHECK_THROWS_AS(invoke_encoded<count>(tractor::encode(1)), tractor::DecodeError);
  CHECK_THROWS_AS(invoke_encoded<add>(tractor::encode(1)), tractor::DecodeError);
  CHECK(calls == 0);
  CHECK_THROWS_WITH(invoke_encoded<fail>(Buffer()), "failed");
}

TEST_CASE("arguments for a function that is not here can be encoded") {
  CHECK(encode_arguments<app::far_away>(app::Point{1, 2}, std::vector<std::string>{"a"}).size() ==
        11);
}
