// SPDX-License-Identifier: BSL-1.0
// expect: a length of time has a unit
#include <trio/trio.hpp>

void doze() { trio::sleep(5); }
