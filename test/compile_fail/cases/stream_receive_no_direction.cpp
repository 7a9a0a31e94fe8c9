// SPDX-License-Identifier: BSL-1.0
// expect: brings nothing this way
#include "context.hpp"

void use(tractor::Context<OneWay>& ctx) { ctx.open_stream().receive(); }
