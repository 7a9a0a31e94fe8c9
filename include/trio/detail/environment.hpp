// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <string>
#include <vector>

namespace trio::detail {

// Our environment with `variables` ("NAME=value") in place of those of the same name, first, so
// that whoever searches for them finds them soon; as execve() wants it. Points into `variables`.
std::vector<char*> environment_with(std::vector<std::string>& variables);

}  // namespace trio::detail
