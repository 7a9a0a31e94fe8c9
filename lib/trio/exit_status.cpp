// SPDX-License-Identifier: BSL-1.0
#include <trio/exit_status.hpp>

#include <cstring>

namespace trio {

std::string describe(ExitStatus const& status) {
  std::string const number = std::to_string(status.status);
  if (!status.signalled) return "exited with " + number;
  return "was killed by signal " + number + " (" + strsignal(status.status) + ")";
}

}  // namespace trio
