// SPDX-License-Identifier: BSL-1.0
// expect: cannot take a non-const reference
#include "portal.hpp"

void increment(int& value);

tractor::Exposed use() { return tractor::expose<increment>; }
