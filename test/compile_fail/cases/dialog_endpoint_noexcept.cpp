// SPDX-License-Identifier: BSL-1.0
// expect: cannot be noexcept
#include "login.hpp"

Finished<Login> serve(CalleeDialog<Login> dialog) noexcept;

tractor::Exposed use() { return tractor::expose<serve>; }
