// SPDX-License-Identifier: BSL-1.0
#include <trio/detail/keep_frame.hpp>
#include <trio/event.hpp>
#include <trio/lowlevel.hpp>

namespace trio {

void Event::wait() {
  if (is_set_)
    lowlevel::checkpoint();
  else
    lot_.park();
  detail::keep_frame();
}

}  // namespace trio
