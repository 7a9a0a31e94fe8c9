// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/detail/type_name.hpp>

namespace tractor::detail {

using trio::detail::demangle;
using trio::detail::type_name;

}  // namespace tractor::detail
