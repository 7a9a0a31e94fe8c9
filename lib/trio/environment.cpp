// SPDX-License-Identifier: BSL-1.0
#include <trio/detail/environment.hpp>

#include <algorithm>
#include <string_view>

#include <unistd.h>

namespace trio::detail {

std::vector<char*> environment_with(std::vector<std::string>& variables) {
  std::vector<char*> all;
  for (std::string& variable : variables) all.push_back(variable.data());
  for (char** present = environ; *present; ++present) {
    auto const is_replaced = [&](std::string const& variable) {
      auto const name = variable.substr(0, variable.find('=') + 1);
      return std::string_view(*present).starts_with(name);
    };
    if (std::none_of(variables.begin(), variables.end(), is_replaced)) all.push_back(*present);
  }
  all.push_back(nullptr);
  return all;
}

}  // namespace trio::detail
