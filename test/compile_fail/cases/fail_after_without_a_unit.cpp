// SPDX-License-Identifier: BSL-1.0
// expect: a length of time has a unit
#include <trio/trio.hpp>

int insist() {
  return trio::fail_after(2, [] { return 1; });
}
