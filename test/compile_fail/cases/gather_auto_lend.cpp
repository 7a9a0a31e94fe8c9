// SPDX-License-Identifier: BSL-1.0
// expect: the parameter of a block is a trio::Lend<T> of a definite type
#include <trio/gather.hpp>

void never_called() {
  trio::gather([](auto lend) { lend(1); }, [](int) {});
}
