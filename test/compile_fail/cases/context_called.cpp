// SPDX-License-Identifier: BSL-1.0
// expect: takes a context or a stream, which a plain call does not give it
#include "context.hpp"

int use(tractor::Portal portal) { return portal.run<talk>(1); }
