// SPDX-License-Identifier: BSL-1.0
// expect: with\(background, work\): the background takes nothing, or a trio::TaskStatus<T>&
#include <trio/teardown.hpp>

void never_called() {
  trio::with([](auto& status) { status.started(1); }, [](int) {});
}
