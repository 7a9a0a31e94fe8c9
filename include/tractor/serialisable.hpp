// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/archive.hpp>
#include <tractor/detail/kind.hpp>
#include <tractor/detail/obstacle.hpp>
#include <tractor/detail/user_form.hpp>

#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

// Whether a type can travel, decided without instantiating anything that could fail: so that the
// one who asks can answer with one sentence.
namespace tractor {
namespace detail {

template <class T> consteval Obstacle obstacle();

// The first obstacle in a list of types.
template <class... T> consteval Obstacle first_obstacle() {
  Obstacle first = Obstacle::none;
  ((first == Obstacle::none ? void(first = obstacle<std::remove_cv_t<T>>()) : void()), ...);
  return first;
}

template <class... T> consteval Obstacle members_obstacle(std::type_identity<std::tuple<T...>>) {
  return first_obstacle<T...>();
}

template <class A, class B>
consteval Obstacle members_obstacle(std::type_identity<std::pair<A, B>>) {
  return first_obstacle<A, B>();
}

template <class... T> consteval Obstacle members_obstacle(std::type_identity<std::variant<T...>>) {
  return first_obstacle<T...>();
}

template <class T> consteval Obstacle user_obstacle() {
  constexpr Obstacle saved = obstacle_of(save_form<OutputArchive, T>.form);
  return saved != Obstacle::none ? saved : obstacle_of(load_form<InputArchive, T>.form);
}

// What a smart pointer points to may have a private default constructor that cereal::access sees,
// and may be the class that is being asked about: it is not asked for its default constructor.
template <class T> consteval Obstacle pointee_obstacle() {
  if constexpr (std::is_polymorphic_v<T>)
    return Obstacle::polymorphic_pointer;
  else if constexpr (kind_of<T> == Kind::user)
    return user_obstacle<T>();
  else
    return obstacle<T>();
}

template <class T> consteval Obstacle obstacle() {
  using enum Kind;
  constexpr Kind kind = kind_of<T>;
  if constexpr (kind == refused) {
    return Obstacle::pointer;
  } else if constexpr (kind == view) {
    return Obstacle::view;
  } else if constexpr (kind == text || kind == sequence || kind == optional) {
    return first_obstacle<typename T::value_type>();
  } else if constexpr (kind == set) {
    return first_obstacle<typename T::key_type>();
  } else if constexpr (kind == map) {
    return first_obstacle<typename T::key_type, typename T::mapped_type>();
  } else if constexpr (kind == array) {
    return first_obstacle<std::remove_cvref_t<decltype(*std::data(std::declval<T&>()))>>();
  } else if constexpr (kind == tuple || kind == variant) {
    return members_obstacle(std::type_identity<T>());
  } else if constexpr (kind == unique || kind == shared) {
    return pointee_obstacle<std::remove_cv_t<typename T::element_type>>();
  } else if constexpr (kind == coded) {
    if constexpr (!complete_codec<T>) return Obstacle::incomplete_codec;
    return std::is_default_constructible_v<T> ? Obstacle::none : Obstacle::no_default_constructor;
  } else if constexpr (kind == user) {
    constexpr Obstacle user = user_obstacle<T>();
    if constexpr (user == Obstacle::none && !std::is_default_constructible_v<T>)
      return Obstacle::no_default_constructor;
    return user;
  } else {
    return Obstacle::none;
  }
}

}  // namespace detail

// A type that can be sent and received: looked into through the containers of the standard library,
// up to the classes that say themselves how they are serialised.
template <class T> concept serialisable = detail::obstacle<T>() == detail::Obstacle::none;

}  // namespace tractor
