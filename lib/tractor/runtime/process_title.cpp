// SPDX-License-Identifier: BSL-1.0
#include "process_title.hpp"

#include <fstream>

#include <sys/prctl.h>

namespace tractor::runtime {

std::vector<std::string> child_arguments(std::string const& name, std::string const& tree_id) {
  std::vector<std::string> arguments = {"_subactor[" + name + "@" + tree_id + "]"};
  std::ifstream ours("/proc/self/cmdline", std::ios::binary);
  std::string argument;
  for (bool program = true; std::getline(ours, argument, '\0'); program = false)
    if (!program) arguments.push_back(argument);
  return arguments;
}

void set_process_name(std::string const& name) { prctl(PR_SET_NAME, name.c_str()); }

}  // namespace tractor::runtime
