// SPDX-License-Identifier: BSL-1.0
// expect: done takes a trio::GuestOutcome of what fn returns
#include <trio/trio.hpp>

void use(trio::GuestHost host) {
  trio::start_guest_run(
      host, {}, [] { return 7; }, [](trio::GuestOutcome<char*>) {});
}
