// SPDX-License-Identifier: BSL-1.0
// expect: the other side chooses here: give receive
#include "login.hpp"

Finished<Login> client(CallerDialog<Login> dialog) {
  auto [answer, rest] = std::move(dialog).send(Credentials{}).receive();
  return std::move(rest).finish();
}
