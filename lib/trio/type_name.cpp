// SPDX-License-Identifier: BSL-1.0
#include <trio/detail/type_name.hpp>

#include <cstdlib>
#include <memory>
#include <string_view>

#include <cxxabi.h>

namespace trio::detail {
namespace {

// Nobody reads std::string in full.
constexpr std::string_view string_in_full =
    "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >";

}  // namespace

std::string demangle(char const* mangled) {
  int status = 0;
  std::unique_ptr<char, void (*)(void*)> const readable(
      abi::__cxa_demangle(mangled, nullptr, nullptr, &status), std::free);
  std::string name = readable ? readable.get() : mangled;
  for (std::size_t at; (at = name.find(string_in_full)) != std::string::npos;) {
    bool const before_bracket = name.compare(at + string_in_full.size(), 2, " >") == 0;
    name.replace(at, string_in_full.size() + before_bracket, "std::string");
  }
  return name;
}

}  // namespace trio::detail
