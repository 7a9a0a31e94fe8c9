// SPDX-License-Identifier: BSL-1.0
// expect: T must be copyable: every task that waits gets a copy
#include <trio/value.hpp>

#include <memory>

trio::Value<std::unique_ptr<int>> value;
