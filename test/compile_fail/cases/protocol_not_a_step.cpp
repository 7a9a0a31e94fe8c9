// SPDX-License-Identifier: BSL-1.0
// expect: this is no step of a protocol
#include "login.hpp"

struct Numbers : Protocol<int> {};

Finished<Numbers> serve(CalleeDialog<Numbers> dialog) { return std::move(dialog).finish(); }
