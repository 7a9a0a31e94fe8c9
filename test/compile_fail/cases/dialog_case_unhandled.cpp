// SPDX-License-Identifier: BSL-1.0
// expect: a case of the protocol has no handler
#include "login.hpp"

Finished<Login> client(CallerDialog<Login> dialog) {
  return std::move(dialog).send(Credentials{}).receive([](Denied, auto rest) {
    return std::move(rest).finish();
  });
}
