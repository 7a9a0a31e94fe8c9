// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace tractor::detail {

// Why a type cannot travel.
enum class Obstacle {
  none,
  pointer,              // or a function, or long double
  view,                 // refers to what stays behind
  polymorphic_pointer,  // the receiver cannot know which class to make
  no_serialize,
  many_serialize,
  no_default_constructor,
  incomplete_codec,
};

// Instantiated only to speak: its name in the compiler's message says which type.
template <class T, Obstacle Why> struct travels {
  static constexpr bool a_value = Why != Obstacle::pointer && Why != Obstacle::view;
  static_assert(a_value,
                "tractor: a pointer, reference, view, function or long double cannot be sent: it "
                "means nothing in another process; send the value");
  static constexpr bool one_class = Why != Obstacle::polymorphic_pointer;
  static_assert(one_class,
                "tractor: a pointer to a polymorphic class cannot be sent: the receiver cannot "
                "know which class to make; send a std::variant of them");
  static constexpr bool serialisable = Why != Obstacle::no_serialize;
  static_assert(serialisable,
                "tractor: this type cannot be serialised: give it, or the element type it holds, a "
                "member template serialize(Archive& archive) { archive(its, members); }");
  static constexpr bool unambiguous = Why != Obstacle::many_serialize;
  static_assert(unambiguous,
                "tractor: this type has several ways to be serialised: keep one, or choose by "
                "specialising cereal::specialize");
  static constexpr bool default_constructible = Why != Obstacle::no_default_constructor;
  static_assert(default_constructible,
                "tractor: this type cannot be received: give it, or the element type it holds, a "
                "default constructor; a value is made first and filled then");
  static constexpr bool complete_codec = Why != Obstacle::incomplete_codec;
  static_assert(complete_codec,
                "tractor: the Codec of this type is to have a name without braces, an encode(T "
                "const&) that returns bytes, and a decode(std::span<std::byte const>) that returns "
                "a T");
};

}  // namespace tractor::detail
