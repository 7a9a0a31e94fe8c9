// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/function.hpp>
#include <tractor/schema.hpp>
#include <tractor/serialisable.hpp>

#include <string_view>
#include <type_traits>

// A protocol is a class that names the types of a context; what it does not name, there is not:
//
//   struct PingPong {
//     using Started = int;           // what the callee gives to started()
//     using ToCallee = std::string;  // the stream from the caller
//     using ToCaller = std::string;  // and the one to it
//   };
namespace tractor {
namespace detail {

template <class P> struct StartedOf {
  using type = void;
};

template <class P>
  requires requires { typename P::Started; }

struct StartedOf<P> {
  using type = typename P::Started;
};

template <class P> struct ToCalleeOf {
  using type = void;
};

template <class P>
  requires requires { typename P::ToCallee; }

struct ToCalleeOf<P> {
  using type = typename P::ToCallee;
};

template <class P> struct ToCallerOf {
  using type = void;
};

template <class P>
  requires requires { typename P::ToCaller; }

struct ToCallerOf<P> {
  using type = typename P::ToCaller;
};

}  // namespace detail

// What a protocol says, or void.
template <class P> using started_of = typename detail::StartedOf<P>::type;
template <class P> using to_callee_of = typename detail::ToCalleeOf<P>::type;
template <class P> using to_caller_of = typename detail::ToCallerOf<P>::type;

namespace detail {

template <class T> consteval Obstacle message_obstacle() {
  if constexpr (std::is_void_v<T>)
    return Obstacle::none;
  else if constexpr (!std::is_same_v<T, std::remove_cvref_t<T>>)
    return Obstacle::view;
  else
    return obstacle<T>();
}

// The first message of a protocol that cannot travel, as the type that speaks of it; or void.
template <class P> consteval auto protocol_flaw() {
  if constexpr (constexpr auto why = message_obstacle<started_of<P>>(); why != Obstacle::none)
    return std::type_identity<travels<started_of<P>, why>>();
  else if constexpr (constexpr auto why_in = message_obstacle<to_callee_of<P>>();
                     why_in != Obstacle::none)
    return std::type_identity<travels<to_callee_of<P>, why_in>>();
  else if constexpr (constexpr auto why_out = message_obstacle<to_caller_of<P>>();
                     why_out != Obstacle::none)
    return std::type_identity<travels<to_caller_of<P>, why_out>>();
  else
    return std::type_identity<void>();
}

template <class T>
void describe_message(SchemaArchive& schema, std::string_view& comma, std::string_view name) {
  if constexpr (!std::is_void_v<T>) {
    schema.add(comma);
    comma = ", ";
    schema.add(name);
    schema.add(": ");
    schema.describe<T>();
  }
}

template <class P> void describe_protocol(SchemaArchive& schema) {
  std::string_view comma;
  schema.add("context<");
  describe_message<started_of<P>>(schema, comma, "started");
  describe_message<to_callee_of<P>>(schema, comma, "to callee");
  describe_message<to_caller_of<P>>(schema, comma, "to caller");
  schema.add(">");
}

}  // namespace detail
}  // namespace tractor
