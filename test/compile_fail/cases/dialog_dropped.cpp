// SPDX-License-Identifier: BSL-1.0
// expect: the dialog goes on with it
#include "login.hpp"

#pragma GCC diagnostic error "-Wunused-result"

void client(CallerDialog<Login> dialog) { std::move(dialog).send(Credentials{}); }
