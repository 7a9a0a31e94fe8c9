// SPDX-License-Identifier: BSL-1.0
// expect: a length of time has a unit
#include <trio/trio.hpp>

bool hurry() {
  return trio::move_on_after(2.5, [] {}).cut_short;
}
