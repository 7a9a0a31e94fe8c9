// SPDX-License-Identifier: BSL-1.0
// expect: a function with a context cannot be noexcept
#include "context.hpp"

void quiet(tractor::Context<OneWay>& ctx) noexcept;

auto use() { return tractor::expose<quiet>; }
