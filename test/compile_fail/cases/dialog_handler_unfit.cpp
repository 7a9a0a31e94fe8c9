// SPDX-License-Identifier: BSL-1.0
// expect: a handler fits no case of the protocol
#include "login.hpp"

Finished<Login> client(CallerDialog<Login> dialog) {
  return std::move(dialog)
      .send(Credentials{})
      .receive([](Denied, auto rest) { return std::move(rest).finish(); },
               [](Granted, auto rest) { return std::move(rest).send(Quit{}).finish(); },
               [](Value, auto rest) { return std::move(rest).finish(); });
}
