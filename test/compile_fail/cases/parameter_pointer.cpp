// SPDX-License-Identifier: BSL-1.0
// expect: a pointer.* cannot be sent
#include "portal.hpp"

int length(char const* text);

int use(Portal portal) { return portal.run<length>("text"); }
