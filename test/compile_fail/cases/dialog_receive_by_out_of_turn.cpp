// SPDX-License-Identifier: BSL-1.0
// expect: expects this side to send here, not to receive
#include "login.hpp"

Finished<Login> client(CallerDialog<Login> dialog) {
  return std::move(dialog).receive([](Credentials, auto rest) { return std::move(rest).finish(); });
}
