// SPDX-License-Identifier: BSL-1.0
// expect: does not convert to the Started of the protocol
#include "context.hpp"

void use(tractor::Context<Talk>& ctx) { ctx.started(std::string("text")); }
