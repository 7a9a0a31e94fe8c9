// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <span>
#include <string_view>

namespace tractor {

// How a class travels that is not to be written by tractor's own archive but by another: to be
// specialised for it, or for all that fulfil a concept, before the first message that has one.
//
//   template <std::derived_from<google::protobuf::MessageLite> T> struct tractor::Codec<T> {
//     static constexpr std::string_view name = "protobuf";
//     static std::string encode(T const& value) { return value.SerializeAsString(); }
//     static T decode(std::span<std::byte const> bytes);  // throws a std::exception if it is no T
//   };
//
// encode() may return any range of bytes that lie one after the other. The name becomes a part of
// each signature that has a T: programs whose codecs have other names refuse each other's calls,
// contexts and topics with both signatures, before anything is decoded. So a codec whose bytes
// change needs another name. A T has a default constructor, like everything that is received.
template <class T> struct Codec {};

namespace detail {

// Printable, and not what the text of a signature is made of.
consteval bool is_codec_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return c >= ' ' && c <= '~' && c != '{' && c != '}';
  });
}

template <class T> concept has_codec = requires { Codec<T>::name; };

template <class Range> concept byte_range = requires(Range const& range) {
  { std::size(range) } -> std::convertible_to<std::size_t>;
  requires sizeof(*std::data(range)) == 1;
};

template <class T> concept complete_codec =
    is_codec_name(Codec<T>::name) && requires(T const& value, std::span<std::byte const> bytes) {
      { Codec<T>::encode(value) } -> byte_range;
      { Codec<T>::decode(bytes) } -> std::same_as<T>;
    };

}  // namespace detail
}  // namespace tractor
