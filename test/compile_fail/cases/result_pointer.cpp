// SPDX-License-Identifier: BSL-1.0
// expect: a pointer.* cannot be sent
#include "portal.hpp"

int* find(int key);

bool use(Portal portal) { return portal.run<find>(1) != nullptr; }
