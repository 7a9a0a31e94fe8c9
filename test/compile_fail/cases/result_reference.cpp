// SPDX-License-Identifier: BSL-1.0
// expect: cannot return a reference or a view
#include "portal.hpp"

std::string const& name();

std::string use(Portal portal) { return portal.run<name>(); }
