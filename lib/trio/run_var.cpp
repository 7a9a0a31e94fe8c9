// SPDX-License-Identifier: BSL-1.0
#include "runner.hpp"

#include <trio/errors.hpp>
#include <trio/run_var.hpp>

#include <utility>

namespace trio::lowlevel::detail_run_var {

std::shared_ptr<void> get(void const* key) {
  auto const& variables = detail::Runner::current().variables();
  auto const found = variables.find(key);
  return found == variables.end() ? nullptr : found->second;
}

std::shared_ptr<void> set(void const* key, std::shared_ptr<void> value) {
  return std::exchange(detail::Runner::current().variables()[key], std::move(value));
}

void refuse_token() {
  throw MisuseError(
      "trio: this token is another RunVar's, or was used already: each set() can be undone once");
}

}  // namespace trio::lowlevel::detail_run_var
