// SPDX-License-Identifier: BSL-1.0
// expect: two cases of this choice have the same message
#include "login.hpp"

struct Session : Protocol<CallerChooses<Case<Get, ToCaller<Value>>, Case<Get>>> {};

Finished<Session> serve(CalleeDialog<Session> dialog) { return std::move(dialog).finish(); }
