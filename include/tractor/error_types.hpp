// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/archive.hpp>
#include <tractor/remote_origin.hpp>
#include <tractor/schema.hpp>
#include <tractor/serialisable.hpp>
#include <trio/exception_group.hpp>

#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace tractor {

// What an error of a registered type, or a group, becomes when it was thrown in another actor: the
// very error, fields and members included, that also knows where it comes from.
template <class E> class Relayed final : public E, public RemoteOrigin {
 public:
  Relayed(E error, BoxedError box) : E(std::move(error)), RemoteOrigin(std::move(box)) {}
};

// An error type that crosses the wire as itself: a record in a list of all such types, made before
// main.
class ErrorType {
 public:
  using Save = std::string (*)(std::exception_ptr const& error);
  using Load = std::exception_ptr (*)(BoxedError box);

  ErrorType(std::type_info const& type, std::uint64_t (*hash)(), Save saver, Load loader) noexcept;
  ErrorType(ErrorType const&) = delete;
  ErrorType& operator=(ErrorType const&) = delete;
  // A shared library that is unloaded takes its records along.
  ~ErrorType();

  // The record of this very type, not of its bases; null if it is not registered.
  static ErrorType const* find(std::type_info const& type) noexcept;
  static ErrorType const* find(std::string_view mangled_name) noexcept;

  // Two programs whose errors of this type consist of the same have the same hash.
  std::uint64_t fields_hash() const { return fields_hash_(); }

  std::string save(std::exception_ptr const& error) const { return save_(error); }

  // The error, as a Relayed<E>. Throws DecodeError.
  std::exception_ptr load(BoxedError box) const { return load_(std::move(box)); }

 private:
  std::type_info const& type_;
  std::uint64_t (*fields_hash_)();
  Save save_;
  Load load_;
  ErrorType* next_;
  ErrorType** link_;
};

namespace detail {

// With fields, or else by its message alone.
template <class E> inline constexpr bool error_has_fields =
    serialisable<E> && std::is_default_constructible_v<E>;
template <class E> inline constexpr bool error_is_its_message =
    !error_has_fields<E> && std::is_constructible_v<E, std::string>;

template <class E> std::uint64_t error_fields_hash() {
  if constexpr (error_has_fields<E>) return signature_hash(schema_of<E>());
  return 0;
}

template <class E> std::string save_error(std::exception_ptr const& error) {
  if constexpr (error_has_fields<E>) {
    Buffer const bytes = encode(*trio::exception_cast<E>(error));
    return std::string(reinterpret_cast<char const*>(bytes.data()), bytes.size());
  }
  return {};
}

template <class E> std::exception_ptr load_error(BoxedError box) {
  if constexpr (error_has_fields<E>) {
    E error = decode<E>(std::as_bytes(std::span(box.fields)));
    return std::make_exception_ptr(Relayed<E>(std::move(error), std::move(box)));
  } else {
    E error(box.message);
    return std::make_exception_ptr(Relayed<E>(std::move(error), std::move(box)));
  }
}

// The record of E.
template <class E> struct RegisteredError {
  static_assert(std::is_class_v<E> && !std::is_final_v<E>,
                "tractor: a registered error type is a class that is not final: what is rethrown "
                "is derived from it, to know where it comes from");
  static_assert(std::is_copy_constructible_v<E>,
                "tractor: a registered error type can be copied, as every exception is");
  static_assert(error_has_fields<E> || error_is_its_message<E>,
                "tractor: a registered error type is either default-constructible and "
                "serialisable (give it a serialize(Archive&)), or constructible from a "
                "std::string, its message");

  static inline ErrorType entry{typeid(E), &error_fields_hash<E>, &save_error<E>, &load_error<E>};
};

}  // namespace detail

// Has errors of the types E rethrown as themselves in other actors of this program, and of others
// that register the same types; to be made once, beside the types:
//
//   struct OutOfStock : std::runtime_error {
//     OutOfStock() : std::runtime_error("out of stock") {}
//     std::string item;
//     template <class Archive> void serialize(Archive& archive) { archive(item); }
//   };
//   inline tractor::RegisterErrors<OutOfStock> const out_of_stock_crosses;
//
//   try { portal.run<order>("apples"); } catch (OutOfStock const& error) { ... error.item ... }
//
// What is caught also is a RemoteOrigin, which says where it was thrown. So is an exception group,
// which comes as itself, for trio::catching, with its members rethrown by the same rules. All other
// types come as a RemoteActorError. Mirrors tractor's reg_err_types.
template <class... E> class RegisterErrors {
 public:
  RegisterErrors() noexcept { (static_cast<void>(&detail::RegisteredError<E>::entry), ...); }
};

}  // namespace tractor
