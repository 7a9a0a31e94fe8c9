// SPDX-License-Identifier: BSL-1.0
// expect: references travel as std::ref
#include <trio/trio.hpp>

int twice(int& number);

void use() { trio::to_thread::run(twice, 21); }
