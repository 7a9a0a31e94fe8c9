// SPDX-License-Identifier: BSL-1.0
// expect: the Codec of this type is to have a name without braces
#include "context.hpp"

#include <string>

struct Order {
  int id = 0;
};

template <> struct tractor::Codec<Order> {
  static constexpr std::string_view name = "digits";

  static std::string encode(Order const& order) { return std::to_string(order.id); }
};

void take(Order order);

auto use() { return tractor::expose<take>; }
