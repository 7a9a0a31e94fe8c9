// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <string>

namespace trio::detail {

// The mangled name of the function that begins at `address`, by the symbol tables of the program or
// shared library that it is in; empty if they do not tell (a stripped program). Any thread. Looks
// each function up once: that may take some milliseconds, and throws std::bad_alloc.
std::string function_name(void const* address);

}  // namespace trio::detail
