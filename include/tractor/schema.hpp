// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/archive.hpp>
#include <tractor/codec.hpp>
#include <tractor/detail/kind.hpp>
#include <tractor/detail/user_form.hpp>
#include <tractor/function.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeindex>
#include <typeinfo>
#include <utility>
#include <variant>

// Types and signatures as text: what two programs compare before one calls the other, and print
// where they differ. Equal text on every compiler, for equal layouts on the wire.
namespace tractor {

// The name a class has in signatures, instead of its C++ name. To be specialised, for a class that
// was renamed, or whose name differs between standard libraries.
template <class T> inline constexpr std::string_view wire_name{};

// Writes down the type of what it is given. A class is described by its own serialize(), run on a
// default-constructed object: what it serialises only on a condition is described as that object
// has it, a class without a default constructor by its name alone.
class SchemaArchive : private cereal::access {
 public:
  using is_saving = std::true_type;
  using is_loading = std::false_type;

  SchemaArchive();
  SchemaArchive(SchemaArchive const&) = delete;
  SchemaArchive& operator=(SchemaArchive const&) = delete;
  ~SchemaArchive();

  // Appends the types of the values, as members of a class.
  template <class... T> SchemaArchive& operator()(T&&... values) {
    (member(values), ...);
    return *this;
  }

  template <class T> SchemaArchive& operator&(T&& value) { return (*this)(value); }

  template <class T> SchemaArchive& operator<<(T&& value) { return (*this)(value); }

  // Appends T. No object is needed.
  template <class T> void describe();

  void add(std::string_view text);

  void add(std::size_t number);

  std::string take() { return std::move(text_); }

 private:
  template <class T> void member(T const&) {
    separate();
    describe<T>();
  }

  template <class T> void member(cereal::NameValuePair<T> const& pair) {
    separate();
    add(pair.name);
    add(":");
    describe<std::remove_cvref_t<decltype(pair.value)>>();
  }

  template <class T> void member(cereal::SizeTag<T> const&) {
    separate();
    add("size");
  }

  template <class T> void member(cereal::BinaryData<T> const&) {
    separate();
    add("bytes");
  }

  template <class T> void member(cereal::base_class<T> const&) {
    separate();
    add("base ");
    describe<T>();
  }

  template <class T> void member(cereal::virtual_base_class<T> const&) {
    separate();
    add("virtual base ");
    describe<T>();
  }

  template <class... T> void list(std::string_view head) {
    add(head);
    add("<");
    describe_all<T...>();
    add(">");
  }

  template <class... T> void list(std::type_identity<std::tuple<T...>>) { list<T...>("tuple"); }

  template <class A, class B> void list(std::type_identity<std::pair<A, B>>) {
    list<A, B>("tuple");
  }

  template <class... T> void list(std::type_identity<std::variant<T...>>) { list<T...>("variant"); }

  template <class... T> void describe_all() {
    std::string_view comma;
    ((add(comma), comma = ", ", describe<T>()), ...);
  }

  template <class T> void describe_scalar();
  template <class T> void describe_user();

  void separate();
  void add_name(std::type_info const& type, std::string_view wire_name);
  // False if the class was described before.
  bool begin_class(std::type_info const& type, std::string_view wire_name);

  void end_class();

  std::string text_;
  std::set<std::type_index> described_;
};

// T as it is on the wire, for example "std::map"s as "map<string, app::Point{x:i32 y:i32}>".
template <class T> std::string schema_of() {
  SchemaArchive schema;
  schema.describe<T>();
  return schema.take();
}

namespace detail {

template <class... P> void describe_parameters(SchemaArchive& schema, Types<P...>) {
  std::string_view comma;
  ((schema.add(comma), comma = ", ", schema.describe<stored_t<P>>()), ...);
}

}  // namespace detail

// The signature of F as its callers see it, for example "i32 (string, list<f64>)"; with a context,
// "i32 (context<started: i32, to callee: string, to caller: string>; string)".
template <auto F> std::string signature_text() {
  SchemaArchive schema;
  schema.describe<result_of<F>>();
  schema.add(" (");
  if constexpr (detail::takes_context<F>) {
    SuppliedByCallee<typename detail::signature_of<F>::all::template at<0>>::describe(schema);
    schema.add("; ");
  }
  detail::describe_parameters(schema, typename detail::signature_of<F>::parameters());
  schema.add(")");
  return schema.take();
}

// FNV-1a of 64 bits.
constexpr std::uint64_t signature_hash(std::string_view text) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (char const c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3;
  }
  return hash;
}

template <class T> void SchemaArchive::describe() {
  using enum detail::Kind;
  constexpr detail::Kind kind = detail::kind_of<T>;
  if constexpr (std::is_void_v<T>) {
    add("void");
  } else if constexpr (std::is_const_v<T>) {
    describe<std::remove_const_t<T>>();
  } else if constexpr (kind == scalar) {
    describe_scalar<T>();
  } else if constexpr (kind == empty) {
    add("none");
  } else if constexpr (kind == text) {
    if constexpr (std::is_same_v<typename T::value_type, char>)
      add("string");
    else
      list<typename T::value_type>("string");
  } else if constexpr (kind == sequence) {
    list<typename T::value_type>("list");
  } else if constexpr (kind == set) {
    constexpr bool unique_keys = requires(T& set) { set.insert(*set.begin()).second; };
    list<typename T::key_type>(unique_keys ? "set" : "multiset");
  } else if constexpr (kind == map) {
    constexpr bool unique_keys = requires(T& map) { map.insert(*map.begin()).second; };
    list<typename T::key_type, typename T::mapped_type>(unique_keys ? "map" : "multimap");
  } else if constexpr (kind == array) {
    using Element = std::remove_cvref_t<decltype(*std::data(std::declval<T&>()))>;
    list<Element>("array");
    add("[");
    add(sizeof(T) / sizeof(Element));
    add("]");
  } else if constexpr (kind == tuple || kind == variant) {
    list(std::type_identity<T>());
  } else if constexpr (kind == optional) {
    list<typename T::value_type>("optional");
  } else if constexpr (kind == unique) {
    list<typename T::element_type>("pointer");
  } else if constexpr (kind == shared) {
    list<typename T::element_type>("shared");
  } else if constexpr (kind == duration) {
    list<typename T::rep>("duration");
    add("*");
    add(static_cast<std::size_t>(T::period::num));
    add("/");
    add(static_cast<std::size_t>(T::period::den));
  } else if constexpr (kind == time) {
    add("time on ");
    add_name(typeid(typename T::clock), wire_name<typename T::clock>);
    add(" ");
    describe<typename T::duration>();
  } else if constexpr (kind == path) {
    add("path");
  } else if constexpr (kind == bits) {
    add("bits[");
    add(T().size());
    add("]");
  } else if constexpr (kind == bytes) {
    list<std::byte>("list");
  } else if constexpr (kind == coded) {
    if (!begin_class(typeid(T), wire_name<T>)) return;
    add("codec ");
    add(Codec<T>::name);
    end_class();
  } else {
    constexpr bool is_user = kind == user;
    static_assert(is_user, "tractor: pointers, views and long double have no schema");
    describe_user<T>();
  }
}

template <class T> void SchemaArchive::describe_scalar() {
  if constexpr (std::is_same_v<T, bool>) {
    add("bool");
  } else if constexpr (std::is_same_v<T, std::byte>) {
    add("byte");
  } else if constexpr (std::is_enum_v<T>) {
    add("enum ");
    add_name(typeid(T), wire_name<T>);
    add(":");
    describe_scalar<std::underlying_type_t<T>>();
  } else if constexpr (std::is_floating_point_v<T>) {
    add("f");
    add(8 * sizeof(T));
  } else {
    constexpr bool character = std::is_same_v<T, char> || std::is_same_v<T, wchar_t> ||
                               std::is_same_v<T, char8_t> || std::is_same_v<T, char16_t> ||
                               std::is_same_v<T, char32_t>;
    add(character ? "c" : std::is_signed_v<T> ? "i" : "u");
    add(8 * sizeof(T));
  }
}

template <class T> void SchemaArchive::describe_user() {
  if (!begin_class(typeid(T), wire_name<T>)) return;
  constexpr detail::UserForm user = detail::save_form<SchemaArchive, T>;
  constexpr bool known = user.form != detail::Form::none && user.form != detail::Form::ambiguous;
  if constexpr (known && std::is_default_constructible_v<T>) {
    // Not on the stack: this may run in a task, and T may be large.
    std::unique_ptr<void, void (*)(void*)> const owner(
        new T(), [](void* object) { delete static_cast<T*>(object); });
    T const& value = *static_cast<T const*>(owner.get());
    if constexpr (user.versioned) {
      std::uint32_t const version = detail::class_version<T>();
      add("version ");
      add(std::size_t{version});
      detail::save_user<user.form>(*this, value, version);
    } else {
      detail::save_user<user.form>(*this, value);
    }
  } else {
    add("?");
  }
  end_class();
}

}  // namespace tractor
