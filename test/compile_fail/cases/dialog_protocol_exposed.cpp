// SPDX-License-Identifier: BSL-1.0
// expect: can never end
#include "login.hpp"

struct Ticks : Protocol<ToCaller<Value>, Ticks> {};

Finished<Ticks> serve(CalleeDialog<Ticks> dialog);

tractor::Exposed use() { return tractor::expose<serve>; }
