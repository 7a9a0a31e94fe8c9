// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <string>
#include <vector>

namespace tractor::runtime {

// The arguments for a child's process: a title that names the actor and its tree, so that `ps` and
// a search for survivors find it, and then our own arguments, as it is to run our main again.
std::vector<std::string> child_arguments(std::string const& name, std::string const& tree_id);

// Shows the actor's name as the process's short name too (`ps -o comm`, `top`).
void set_process_name(std::string const& name);

}  // namespace tractor::runtime
