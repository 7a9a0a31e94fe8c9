// SPDX-License-Identifier: BSL-1.0
// expect: not one of the cases that the protocol allows here
#include "login.hpp"

Finished<Login> serve(CalleeDialog<Login> dialog) {
  auto [who, answer] = std::move(dialog).receive();
  return std::move(answer).send(Quit{}).finish();
}
