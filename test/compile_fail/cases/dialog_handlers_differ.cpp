// SPDX-License-Identifier: BSL-1.0
// expect: the handlers must all return the same type
#include "login.hpp"

void client(CallerDialog<Login> dialog) {
  (void)std::move(dialog)
      .send(Credentials{})
      .receive([](Denied, auto rest) { return std::move(rest).finish(); },
               [](Granted, auto rest) { return std::move(rest).send(Quit{}); });
}
