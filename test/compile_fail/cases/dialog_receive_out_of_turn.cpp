// SPDX-License-Identifier: BSL-1.0
// expect: expects this side to send here, not to receive
#include "login.hpp"

Finished<Login> client(CallerDialog<Login> dialog) {
  auto [granted, rest] = std::move(dialog).receive();
  return std::move(rest).send(Quit{}).finish();
}
