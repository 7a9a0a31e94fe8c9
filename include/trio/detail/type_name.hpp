// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <string>
#include <typeinfo>

namespace trio::detail {

// The readable form of a mangled name, with std::string by its short name; the name itself if it is
// none.
std::string demangle(char const* mangled);

inline std::string type_name(std::type_info const& type) { return demangle(type.name()); }

}  // namespace trio::detail
