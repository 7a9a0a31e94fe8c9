// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <string_view>

namespace tractor::detail {

// Whether a mangled name means the same in every program: it names no static function, nothing in
// an unnamed namespace and no lambda. Errs towards no, save for what the name does not show: static
// operators, and with g++ static functions in an extern "C" block.
bool is_portable_name(std::string_view mangled);

}  // namespace tractor::detail
