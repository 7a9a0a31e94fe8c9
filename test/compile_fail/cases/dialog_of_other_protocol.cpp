// SPDX-License-Identifier: BSL-1.0
// expect: conver(t|sion)
#include "login.hpp"

// The end of one protocol is not the end of another.
struct Other : Protocol<ToCallee<Text>> {};

Finished<Login> client(CallerDialog<Other> dialog) {
  return std::move(dialog).send({"text"}).finish();
}
