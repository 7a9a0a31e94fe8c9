// SPDX-License-Identifier: BSL-1.0
// expect: expects this side to receive here, not to send
#include "login.hpp"

Finished<Login> serve(CalleeDialog<Login> dialog) {
  return std::move(dialog).send(Granted{}).finish();
}
