// SPDX-License-Identifier: BSL-1.0
// expect: any_of, all_of, most_of and race take functions without parameters
#include <trio/combinators.hpp>

void never_called() {
  trio::any_of([](int number) { return number; });
}
