// SPDX-License-Identifier: BSL-1.0
// expect: this protocol can never end once it comes here
#include "login.hpp"

struct Ticks : Protocol<ToCaller<Value>, Ticks> {};

Finished<Ticks> serve(CalleeDialog<Ticks> dialog) {
  for (;;) dialog = std::move(dialog).send(Value{});
}
