// SPDX-License-Identifier: BSL-1.0
// expect: no handler of serve.* returns the dialog back
#include "login.hpp"

Finished<Login> client(CallerDialog<Login> dialog) {
  return std::move(dialog)
      .send(Credentials{})
      .serve([](Denied, auto rest) { return std::move(rest).finish(); },
             [](Granted, auto rest) { return std::move(rest).send(Quit{}).finish(); });
}
