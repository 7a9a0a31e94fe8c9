// SPDX-License-Identifier: BSL-1.0
// expect: a handler returns nothing and so drops the dialog
#include "login.hpp"

Finished<Login> client(CallerDialog<Login> dialog) {
  return std::move(dialog)
      .send(Credentials{})
      .receive([](Denied, auto) {},
               [](Granted, auto rest) { return std::move(rest).send(Quit{}).finish(); });
}
