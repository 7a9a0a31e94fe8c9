// SPDX-License-Identifier: BSL-1.0
// expect: this protocol is not named in the protocol of the dialog
#include "login.hpp"

struct Other : Protocol<ToCallee<Text>> {};

Finished<Login> serve(CalleeDialog<Login, Other> dialog) { return std::move(dialog).finish(); }
