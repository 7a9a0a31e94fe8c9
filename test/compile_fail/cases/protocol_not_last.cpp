// SPDX-License-Identifier: BSL-1.0
// expect: no step can follow a choice or the name of a protocol
#include "login.hpp"

struct Session : Protocol<Commands, ToCaller<Value>> {};

Finished<Session> serve(CalleeDialog<Session> dialog) { return std::move(dialog).finish(); }
