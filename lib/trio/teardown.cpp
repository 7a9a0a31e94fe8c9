// SPDX-License-Identifier: BSL-1.0
#include <trio/teardown.hpp>

namespace trio::detail {

void rethrow_either(std::exception_ptr first, std::exception_ptr second) {
  if (first && second)
    std::rethrow_exception(make_exception_group("an error, and another while cleaning up after it",
                                                {std::move(first), std::move(second)}));
  if (first) std::rethrow_exception(std::move(first));
  if (second) std::rethrow_exception(std::move(second));
}

}  // namespace trio::detail
