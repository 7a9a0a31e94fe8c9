// SPDX-License-Identifier: BSL-1.0
#include "registry.hpp"

#include <doctest/doctest.h>

using tractor::function_id;

static int helper(int value) { return value + 2; }

namespace {

int anonymous(int value) { return value + 20; }

// As in registry.cpp, to the letter.
constexpr auto lambda = [](int value) { return value * 2; };

}  // namespace

namespace wire_test {

int defined_once(int value) { return value; }

namespace other {

tractor::FunctionId static_helper() { return function_id<helper>(); }

tractor::FunctionId anonymous_helper() { return function_id<anonymous>(); }

tractor::FunctionId lambda() { return function_id<::lambda>(); }

tractor::FunctionId defined_once() { return function_id<wire_test::defined_once>(); }

tractor::FunctionId defined_inline() { return function_id<wire_test::defined_inline>(); }

tractor::FunctionId shared_lambda() { return function_id<wire_test::shared_lambda>(); }

tractor::Exposed exposed() {
  return tractor::expose<helper, anonymous, ::lambda, wire_test::defined_inline>;
}

}  // namespace other
}  // namespace wire_test

TEST_CASE("a function that is only called is not registered") {
  (void)function_id<wire_test::defined_nowhere>();
  for (tractor::Entry const* entry : tractor::registered_functions())
    CHECK(entry->id().readable_name().find("defined_nowhere") == std::string::npos);
}
