// SPDX-License-Identifier: BSL-1.0
// expect: cannot be sent
#include "portal.hpp"

int count(std::vector<std::string_view> const& words);

int use(Portal portal) { return portal.run<count>(std::vector<std::string_view>()); }
