// SPDX-License-Identifier: BSL-1.0
// expect: sends nothing this way
#include "context.hpp"

void use(tractor::CallerContext<OneWay, void>& ctx) { ctx.open_stream().send(1); }
