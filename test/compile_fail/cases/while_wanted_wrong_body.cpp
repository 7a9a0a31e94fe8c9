// SPDX-License-Identifier: BSL-1.0
// expect: the body of while_wanted takes no arguments
#include <tractor/publisher.hpp>

void use(tractor::Publisher<int>& numbers) {
  numbers.while_wanted([](int) {});
}
