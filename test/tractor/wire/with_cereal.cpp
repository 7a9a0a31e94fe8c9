// SPDX-License-Identifier: BSL-1.0
// The same types where cereal's own functions for them are visible: ours must win, so that the
// bytes do not depend on what a source file includes. What we do not know goes through cereal's.
#include "types.hpp"

#include <tractor/archive.hpp>
#include <tractor/schema.hpp>
#include <tractor/serialisable.hpp>

#include <atomic>
#include <complex>
#include <forward_list>
#include <queue>
#include <stack>
#include <valarray>

#include <cereal/types/array.hpp>
#include <cereal/types/atomic.hpp>
#include <cereal/types/bitset.hpp>
#include <cereal/types/chrono.hpp>
#include <cereal/types/complex.hpp>
#include <cereal/types/deque.hpp>
#include <cereal/types/forward_list.hpp>
#include <cereal/types/list.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/memory.hpp>
#include <cereal/types/optional.hpp>
#include <cereal/types/polymorphic.hpp>
#include <cereal/types/queue.hpp>
#include <cereal/types/set.hpp>
#include <cereal/types/stack.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/tuple.hpp>
#include <cereal/types/unordered_map.hpp>
#include <cereal/types/unordered_set.hpp>
#include <cereal/types/utility.hpp>
#include <cereal/types/valarray.hpp>
#include <cereal/types/variant.hpp>
#include <cereal/types/vector.hpp>
#include <doctest/doctest.h>

using tractor::Buffer;
using tractor::decode;
using tractor::DecodeError;
using tractor::encode;

namespace {

template <class T> void check_size(T const& value, std::size_t size) {
  static_assert(tractor::serialisable<T>);
  Buffer const frame = encode(value);
  CHECK(frame.size() == size);
  CHECK(decode<T>(frame.bytes()) == value);
}

}  // namespace

TEST_CASE("the bytes are the same with cereal's functions in sight") {
  check_size(std::string("abc"), 4);
  check_size(std::vector<std::string>{"abc"}, 5);
  check_size(std::vector<int>{1, 2}, 9);
  check_size(std::deque<char>{'a'}, 2);
  check_size(std::list<app::Empty>(3), 4);
  check_size(std::set<char>{'a'}, 2);
  check_size(std::unordered_set<char>{'a'}, 2);
  check_size(std::map<char, std::string>{{'a', "b"}}, 4);
  check_size(std::unordered_map<char, std::string>{{'a', "b"}}, 4);
  check_size(std::array<int, 2>{1, 2}, 8);
  check_size(std::tuple(1, 'a'), 5);
  check_size(std::pair(1, 'a'), 5);
  check_size(std::optional<char>('a'), 2);
  check_size(std::variant<int, char>('a'), 2);
  check_size(std::bitset<9>(5), 2);
  check_size(std::chrono::seconds(5), 8);
  check_size(std::chrono::system_clock::time_point(std::chrono::seconds(5)), 8);
  check_size(std::unique_ptr<int>(), 1);
  check_size(std::shared_ptr<int>(), 1);
  check_size(app::Named{"a", {{1, 2}}}, 11);
  CHECK(tractor::schema_of<std::map<std::string, std::optional<std::chrono::seconds>>>() ==
        "map<string, optional<duration<i64>*1/1>>");
}

TEST_CASE("types that only cereal knows go round through its functions") {
  check_size(std::complex<float>(1, 2), 8);
  check_size(std::forward_list<char>{'a', 'b'}, 3);
  check_size(std::stack<char>(std::deque<char>{'a', 'b'}), 3);
  check_size(std::queue<char>(std::deque<char>{'a', 'b'}), 3);
  std::valarray<double> const values{1, 2};
  Buffer const frame = encode(values);
  CHECK((decode<std::valarray<double>>(frame.bytes()) == values).min());
  std::atomic<int> const atomic = 5;
  std::atomic<int> loaded = 0;
  Buffer const atomic_frame = encode(atomic);
  tractor::InputArchive(atomic_frame.bytes())(loaded).finish();
  CHECK(loaded == 5);
}

TEST_CASE("a size that cereal's functions read cannot exceed the bytes that remain") {
  Buffer const lie = encode(std::uint8_t{0xff}, std::uint8_t{0x7f}, 'a');
  CHECK_THROWS_AS(decode<std::forward_list<char>>(lie.bytes()), DecodeError);
  CHECK_THROWS_AS(decode<std::valarray<double>>(lie.bytes()), DecodeError);
}

TEST_CASE("cereal's traits know our archives") {
  using tractor::InputArchive;
  using tractor::OutputArchive;
  CHECK(cereal::traits::is_output_serializable<app::Point, OutputArchive>::value);
  CHECK(cereal::traits::is_input_serializable<app::Point, InputArchive>::value);
  CHECK(cereal::traits::is_output_serializable<app::Minimal, OutputArchive>::value);
  CHECK(cereal::traits::is_input_serializable<app::Minimal, InputArchive>::value);

  struct Plain {};

  CHECK(!cereal::traits::is_output_serializable<Plain, OutputArchive>::value);
}
