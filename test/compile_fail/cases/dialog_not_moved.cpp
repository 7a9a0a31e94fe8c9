// SPDX-License-Identifier: BSL-1.0
// expect: a step consumes the dialog
#include "login.hpp"

Finished<Login> client(CallerDialog<Login> dialog) {
  return dialog.send(Credentials{})
      .receive([](Denied, auto rest) { return std::move(rest).finish(); },
               [](Granted, auto rest) { return std::move(rest).send(Quit{}).finish(); });
}
