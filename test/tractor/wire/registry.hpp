// SPDX-License-Identifier: BSL-1.0
// Functions that registry.cpp and registry_other.cpp both name, and what the latter made of them.
#pragma once
#include <tractor/expose.hpp>

namespace wire_test {

int defined_once(int value);

inline int defined_inline(int value) { return value + 100; }

template <class T> T instantiated(T value) { return value; }

// Declared, defined nowhere: to be called only.
[[gnu::weak]] int defined_nowhere(int value);

inline constexpr auto shared_lambda = [](int value) { return value + 200; };

namespace other {

tractor::FunctionId static_helper();
tractor::FunctionId anonymous_helper();
tractor::FunctionId lambda();
tractor::FunctionId defined_once();
tractor::FunctionId defined_inline();
tractor::FunctionId shared_lambda();
tractor::Exposed exposed();

}  // namespace other
}  // namespace wire_test
