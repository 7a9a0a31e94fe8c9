// SPDX-License-Identifier: BSL-1.0
// expect: must return a value, not a reference
#include <trio/trio.hpp>

int& shared();

void use() { trio::to_thread::run(shared); }
