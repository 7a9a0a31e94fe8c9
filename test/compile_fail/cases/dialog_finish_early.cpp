// SPDX-License-Identifier: BSL-1.0
// expect: the protocol has not come to its end here
#include "login.hpp"

Finished<Login> serve(CalleeDialog<Login> dialog) {
  auto [who, answer] = std::move(dialog).receive();
  return std::move(answer).send(Granted{}).finish();
}
