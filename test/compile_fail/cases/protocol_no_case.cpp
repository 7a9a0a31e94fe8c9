// SPDX-License-Identifier: BSL-1.0
// expect: a choice consists of one Case
#include "login.hpp"

struct Session : Protocol<CallerChooses<Get, Put>> {};

Finished<Session> serve(CalleeDialog<Session> dialog) { return std::move(dialog).finish(); }
