// SPDX-License-Identifier: BSL-1.0
// expect: a length of time has a unit
#include <tractor/tractor.hpp>

tractor::ActorOptions hasty() { return {.cancel_timeout = 1}; }
