// SPDX-License-Identifier: BSL-1.0
// expect: without a message in between
#include "login.hpp"

struct Silent : Protocol<Silent> {};

Finished<Silent> serve(CalleeDialog<Silent> dialog) { return std::move(dialog).finish(); }
