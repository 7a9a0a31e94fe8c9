// SPDX-License-Identifier: BSL-1.0
// expect: not the message that the protocol expects here
#include "login.hpp"

Finished<Login> client(CallerDialog<Login> dialog) {
  return std::move(dialog).send(Quit{}).receive(
      [](Denied, auto rest) { return std::move(rest).finish(); },
      [](Granted, auto rest) { return std::move(rest).send(Quit{}).finish(); });
}
