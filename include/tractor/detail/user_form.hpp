// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <cereal/access.hpp>
#include <cereal/details/helpers.hpp>

// How a class says what it consists of: cereal's model. It has exactly one of six forms, with or
// without a version number as last parameter; cereal::specialize chooses where it has several.
namespace tractor {
class OutputArchive;
}

namespace tractor::detail {

// In the order of cereal::specialization.
enum class Form {
  member_serialize,
  member_split,
  member_minimal,
  free_serialize,
  free_split,
  free_minimal,
  none,
  ambiguous,
};

struct UserForm {
  Form form = Form::none;
  bool versioned = false;
};

// V is nothing, or the version number's type.
template <class A, class T, class... V> concept MemberSerialize = requires(
    A& archive, T& value, V... v) { cereal::access::member_serialize(archive, value, v...); };

template <class A, class T, class... V> concept FreeSerialize =
    requires(A& archive, T& value, V... v) { serialize(archive, value, v...); };

template <class A, class T, class... V> concept MemberSave = requires(
    A& archive, T const& value, V... v) { cereal::access::member_save(archive, value, v...); };

template <class A, class T, class... V> concept FreeSave =
    requires(A& archive, T const& value, V... v) { save(archive, value, v...); };

template <class A, class T, class... V> concept MemberSaveMinimal =
    requires(A const& archive, T const& value, V... v) {
      cereal::access::member_save_minimal(archive, value, v...);
    };

template <class A, class T, class... V> concept FreeSaveMinimal =
    requires(A const& archive, T const& value, V... v) { save_minimal(archive, value, v...); };

template <class A, class T, class... V> concept MemberLoad =
    requires(A& archive, T& value, V... v) { cereal::access::member_load(archive, value, v...); };

template <class A, class T, class... V> concept FreeLoad =
    requires(A& archive, T& value, V... v) { load(archive, value, v...); };

// What a minimal form saves in the value's place, and so what is loaded.
template <class T, class... V>
  requires MemberSaveMinimal<OutputArchive, T, V...>
std::remove_cvref_t<decltype(cereal::access::member_save_minimal(
    std::declval<OutputArchive const&>(), std::declval<T const&>(), std::declval<V>()...))>
member_minimal(V...);
template <class T, class... V>
  requires FreeSaveMinimal<OutputArchive, T, V...>
std::remove_cvref_t<decltype(save_minimal(std::declval<OutputArchive const&>(),
                                          std::declval<T const&>(), std::declval<V>()...))>
free_minimal(V...);

template <class A, class T, class... V> concept MemberLoadMinimal =
    requires(A const& archive, T& value, V... v) {
      cereal::access::member_load_minimal(archive, value, member_minimal<T>(v...), v...);
    };

template <class A, class T, class... V> concept FreeLoadMinimal =
    requires(A const& archive, T& value, V... v) {
      load_minimal(archive, value, free_minimal<T>(v...), v...);
    };

// The six forms without a version, then with one.
using Forms = std::array<bool, 12>;

template <class A, class T, std::size_t... I>
consteval Forms specialised(std::index_sequence<I...>) {
  return {
      !std::is_base_of_v<std::false_type,
                         cereal::specialize<A, T, static_cast<cereal::specialization>(I % 6)>>...};
}

consteval std::size_t count(Forms const& forms) {
  std::size_t number = 0;
  for (bool const present : forms) number += present;
  return number;
}

consteval UserForm only(Forms const& forms) {
  for (std::size_t i = 0; i < forms.size(); ++i)
    if (forms[i]) return {static_cast<Form>(i % 6), i >= 6};
  return {};
}

template <class A, class T, Forms has> consteval UserForm choose() {
  if constexpr (count(has) <= 1) {
    return only(has);
  } else {
    Forms chosen = specialised<A, T>(std::make_index_sequence<12>());
    for (std::size_t i = 0; i < has.size(); ++i) chosen[i] = chosen[i] && has[i];
    return count(chosen) == 1 ? only(chosen) : UserForm{Form::ambiguous};
  }
}

template <class A, class T, class V = std::uint32_t> inline constexpr UserForm save_form =
    choose<A, T,
           Forms{MemberSerialize<A, T>, MemberSave<A, T>, MemberSaveMinimal<A, T>,
                 FreeSerialize<A, T>, FreeSave<A, T>, FreeSaveMinimal<A, T>,
                 MemberSerialize<A, T, V>, MemberSave<A, T, V>, MemberSaveMinimal<A, T, V>,
                 FreeSerialize<A, T, V>, FreeSave<A, T, V>, FreeSaveMinimal<A, T, V>}>();

template <class A, class T, class V = std::uint32_t> inline constexpr UserForm load_form =
    choose<A, T,
           Forms{MemberSerialize<A, T>, MemberLoad<A, T>, MemberLoadMinimal<A, T>,
                 FreeSerialize<A, T>, FreeLoad<A, T>, FreeLoadMinimal<A, T>,
                 MemberSerialize<A, T, V>, MemberLoad<A, T, V>, MemberLoadMinimal<A, T, V>,
                 FreeSerialize<A, T, V>, FreeLoad<A, T, V>, FreeLoadMinimal<A, T, V>}>();

// Saves `value` in the form its class has. V is nothing, or the version.
template <Form form, class A, class T, class... V>
void save_user(A& archive, T const& value, V... version) {
  if constexpr (form == Form::member_serialize)
    cereal::access::member_serialize(archive, const_cast<T&>(value), version...);
  else if constexpr (form == Form::member_split)
    cereal::access::member_save(archive, value, version...);
  else if constexpr (form == Form::member_minimal)
    archive(cereal::access::member_save_minimal(archive, value, version...));
  else if constexpr (form == Form::free_serialize)
    serialize(archive, const_cast<T&>(value), version...);
  else if constexpr (form == Form::free_split)
    save(archive, value, version...);
  else
    archive(save_minimal(archive, value, version...));
}

template <Form form, class A, class T, class... V>
void load_user(A& archive, T& value, V... version) {
  if constexpr (form == Form::member_serialize) {
    cereal::access::member_serialize(archive, value, version...);
  } else if constexpr (form == Form::member_split) {
    cereal::access::member_load(archive, value, version...);
  } else if constexpr (form == Form::member_minimal) {
    decltype(member_minimal<T>(version...)) minimal{};
    archive(minimal);
    cereal::access::member_load_minimal(archive, value, minimal, version...);
  } else if constexpr (form == Form::free_serialize) {
    serialize(archive, value, version...);
  } else if constexpr (form == Form::free_split) {
    load(archive, value, version...);
  } else {
    decltype(free_minimal<T>(version...)) minimal{};
    archive(minimal);
    load_minimal(archive, value, minimal, version...);
  }
}

// The version number that CEREAL_CLASS_VERSION gave T, 0 without.
template <class T> std::uint32_t class_version() {
  auto& versions = cereal::detail::StaticObject<cereal::detail::Versions>::getInstance().mapping;
  auto const found = versions.find(typeid(T).hash_code());
  return found != versions.end() ? found->second : cereal::detail::Version<T>::version;
}

}  // namespace tractor::detail
