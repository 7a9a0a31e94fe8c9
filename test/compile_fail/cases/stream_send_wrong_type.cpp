// SPDX-License-Identifier: BSL-1.0
// expect: does not convert to what the protocol of this stream sends
#include "context.hpp"

void use(tractor::Context<Talk>& ctx) { ctx.open_stream().send(std::string("text")); }
