// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/codec.hpp>
#include <tractor/context.hpp>
#include <tractor/dialog.hpp>
#include <tractor/stream.hpp>
#include <tractor/topic.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

// Functions that several test programs have, each in its own build.
namespace shared {

#ifdef THE_TESTS_OWN_BUILD
using Other = int;
inline constexpr std::string_view other_codec = "digits";
#else
using Other = std::string;
inline constexpr std::string_view other_codec = "digits, last one first";
#endif

// What travels by a codec that both builds have, and what by one that differs.
struct SameCodec {
  int number = 0;
};

struct OtherCodec {
  int number = 0;
};

}  // namespace shared

template <> struct tractor::Codec<shared::SameCodec> {
  static constexpr std::string_view name = "digits";

  static std::string encode(shared::SameCodec const& value) { return std::to_string(value.number); }

  static shared::SameCodec decode(std::span<std::byte const> bytes) {
    return {std::stoi(std::string(reinterpret_cast<char const*>(bytes.data()), bytes.size()))};
  }
};

template <> struct tractor::Codec<shared::OtherCodec> {
  static constexpr std::string_view name = shared::other_codec;

  static std::string encode(shared::OtherCodec const& value) {
    return std::to_string(value.number);
  }

  static shared::OtherCodec decode(std::span<std::byte const>) { return {}; }
};

namespace shared {

int add(int a, int b);
#ifdef THE_TESTS_OWN_BUILD
std::string changed(std::string const& text);
#else
int changed(std::string const& text);
#endif

// A dialog that both builds know alike, and one whose second message differs.
struct Alike : tractor::Protocol<tractor::ToCallee<int>, tractor::ToCaller<int>> {};

tractor::Finished<Alike> alike(tractor::CalleeDialog<Alike> dialog);

struct Unlike : tractor::Protocol<tractor::ToCallee<int>, tractor::ToCaller<Other>> {};

tractor::Finished<Unlike> unlike(tractor::CalleeDialog<Unlike> dialog);

// Contexts, likewise: the same, and each with one message that differs.
struct Talk {
  using Started = int;
  using ToCallee = int;
  using ToCaller = std::string;
};

std::string talk(tractor::Context<Talk>& context, int factor);

struct OtherStarted {
  using Started = Other;
};

void other_started(tractor::Context<OtherStarted>& context);

struct OtherToCallee {
  using ToCallee = Other;
};

void other_to_callee(tractor::Context<OtherToCallee>& context);

struct OtherToCaller {
  using ToCaller = Other;
};

void other_to_caller(tractor::Context<OtherToCaller>& context);

void count(tractor::SendStream<int>& stream, int end);
void other_items(tractor::SendStream<Other>& stream);

SameCodec doubled(SameCodec value);
void other_codec_in(OtherCodec value);

// Publish 1 to 3 as soon as somebody has subscribed.
template <class T> struct Publishes {
  using Started = tractor::Topic<T>;
};

void publish(tractor::Context<Publishes<int>>& context);
void publish_coded(tractor::Context<Publishes<OtherCodec>>& context);

}  // namespace shared
