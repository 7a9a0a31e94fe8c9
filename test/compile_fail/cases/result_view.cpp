// SPDX-License-Identifier: BSL-1.0
// expect: cannot return a reference or a view
#include "portal.hpp"

std::string_view name();

std::string use(Portal portal) { return std::string(portal.run<name>()); }
