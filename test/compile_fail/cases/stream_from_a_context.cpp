// SPDX-License-Identifier: BSL-1.0
// expect: the body of open_stream_from<f>\(arguments..., body\) comes last
#include "context.hpp"

void use(tractor::Portal portal) {
  portal.open_stream_from<tell>([](auto&) {});
}
