// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/buffer.hpp>
#include <tractor/codec.hpp>

#include <array>
#include <bitset>
#include <concepts>
#include <cstddef>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

// How each type is laid out by the archives; the layouts themselves are listed in archive.hpp.
namespace tractor::detail {

enum class Kind {
  user,      // a class that says itself what it consists of, on cereal's model
  refused,   // a pointer, a function, long double: there is no such thing on a wire
  scalar,    // arithmetic types, enums, std::byte
  empty,     // std::monostate
  text,      // std::basic_string
  sequence,  // std::vector, deque, list
  set,
  map,
  array,  // std::array and T[N]
  tuple,  // std::tuple, pair
  optional,
  variant,
  unique,  // std::unique_ptr
  shared,  // std::shared_ptr
  duration,
  time,  // std::chrono::time_point
  path,
  bits,   // std::bitset
  bytes,  // tractor::Bytes
  coded,  // a class that has a Codec
  view,   // std::string_view and span: can be written, but a reader would own nothing to refer to
};

template <class T> inline constexpr Kind std_kind = Kind::user;
template <class... A> inline constexpr Kind std_kind<std::basic_string<A...>> = Kind::text;
template <class... A> inline constexpr Kind std_kind<std::basic_string_view<A...>> = Kind::view;
template <class T, std::size_t N> inline constexpr Kind std_kind<std::span<T, N>> = Kind::view;
template <class... A> inline constexpr Kind std_kind<std::vector<A...>> = Kind::sequence;
template <class... A> inline constexpr Kind std_kind<std::deque<A...>> = Kind::sequence;
template <class... A> inline constexpr Kind std_kind<std::list<A...>> = Kind::sequence;
template <class... A> inline constexpr Kind std_kind<std::set<A...>> = Kind::set;
template <class... A> inline constexpr Kind std_kind<std::multiset<A...>> = Kind::set;
template <class... A> inline constexpr Kind std_kind<std::unordered_set<A...>> = Kind::set;
template <class... A> inline constexpr Kind std_kind<std::unordered_multiset<A...>> = Kind::set;
template <class... A> inline constexpr Kind std_kind<std::map<A...>> = Kind::map;
template <class... A> inline constexpr Kind std_kind<std::multimap<A...>> = Kind::map;
template <class... A> inline constexpr Kind std_kind<std::unordered_map<A...>> = Kind::map;
template <class... A> inline constexpr Kind std_kind<std::unordered_multimap<A...>> = Kind::map;
template <class T, std::size_t N> inline constexpr Kind std_kind<std::array<T, N>> = Kind::array;
template <class T, std::size_t N> inline constexpr Kind std_kind<T[N]> = Kind::array;
template <class... A> inline constexpr Kind std_kind<std::tuple<A...>> = Kind::tuple;
template <class... A> inline constexpr Kind std_kind<std::pair<A...>> = Kind::tuple;
template <class T> inline constexpr Kind std_kind<std::optional<T>> = Kind::optional;
template <class... A> inline constexpr Kind std_kind<std::variant<A...>> = Kind::variant;
template <> inline constexpr Kind std_kind<std::monostate> = Kind::empty;
template <class T> inline constexpr Kind std_kind<std::unique_ptr<T>> = Kind::unique;
template <class T> inline constexpr Kind std_kind<std::unique_ptr<T[]>> = Kind::refused;
template <class T> inline constexpr Kind std_kind<std::shared_ptr<T>> = Kind::shared;
template <class T> inline constexpr Kind std_kind<std::shared_ptr<T[]>> = Kind::refused;
template <class T> inline constexpr Kind std_kind<std::weak_ptr<T>> = Kind::refused;
template <std::size_t N> inline constexpr Kind std_kind<std::bitset<N>> = Kind::bits;
template <> inline constexpr Kind std_kind<Bytes> = Kind::bytes;

// std::chrono and std::filesystem are known by their shape: their headers are slow to compile.
template <class T> concept DurationLike = requires(T const& value) {
  typename T::period;
  { value.count() } -> std::same_as<typename T::rep>;
};

template <class T> concept TimeLike = requires(T const& value) {
  typename T::clock;
  { value.time_since_epoch() } -> std::same_as<typename T::duration>;
};

template <class T> concept PathLike = requires(T const& value) {
  T::preferred_separator;
  { value.native() } -> std::same_as<std::string const&>;
};

template <class T> consteval Kind classify() {
  if constexpr (has_codec<T>)
    return Kind::coded;
  else if constexpr (std::is_same_v<T, long double>)
    return Kind::refused;  // eighty bits and padding here, something else elsewhere
  else if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>)
    return Kind::scalar;
  else if constexpr (!std::is_class_v<T> && !std::is_union_v<T> && !std::is_bounded_array_v<T>)
    return Kind::refused;
  else if constexpr (std_kind<T> != Kind::user)
    return std_kind<T>;
  else if constexpr (DurationLike<T>)
    return Kind::duration;
  else if constexpr (TimeLike<T>)
    return Kind::time;
  else if constexpr (PathLike<T>)
    return Kind::path;
  else
    return Kind::user;
}

template <class T> inline constexpr Kind kind_of = classify<std::remove_cv_t<T>>();

// The integer or floating type that a scalar is written as.
template <class T> struct ScalarOf {
  using type = T;
};

template <class T>
  requires std::is_enum_v<T>

struct ScalarOf<T> {
  using type = std::underlying_type_t<T>;
};
template <class T> using scalar_t = typename ScalarOf<std::remove_cv_t<T>>::type;

// Whether consecutive Ts are written as they lie in memory. Not bool: a byte of 2 is none.
template <class T> inline constexpr bool flat =
    kind_of<T> == Kind::scalar && !std::is_same_v<scalar_t<T>, bool>;

}  // namespace tractor::detail
