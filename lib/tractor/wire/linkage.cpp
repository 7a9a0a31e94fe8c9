// SPDX-License-Identifier: BSL-1.0
#include <tractor/detail/linkage.hpp>
#include <tractor/detail/type_name.hpp>

#include <cstddef>
#include <string>

namespace tractor::detail {

bool is_portable_name(std::string_view mangled) {
  std::string const name(mangled);
  std::string const readable = demangle(name.c_str());
  if (readable == name) return false;
  // The unnamed namespace is looked for where it cannot be left out as part of a parameter's type.
  if (name.find("_GLOBAL__N_") != std::string::npos) return false;
  // A lambda as g++ and as clang name it, an unnamed type.
  for (char const* unnamed : {"{lambda(", "$_", "{unnamed type"})
    if (readable.find(unnamed) != std::string::npos) return false;
  // The name of a static function has an L before it that the readable form does not show. Any
  // other L, in an identifier or before a constant, cannot be taken away without a change there.
  for (std::size_t at = name.find('L'); at != std::string::npos; at = name.find('L', at + 1)) {
    bool const before_a_name = at + 1 < name.size() && name[at + 1] >= '0' && name[at + 1] <= '9';
    if (before_a_name && demangle(std::string(name).erase(at, 1).c_str()) == readable) return false;
  }
  return true;
}

}  // namespace tractor::detail
