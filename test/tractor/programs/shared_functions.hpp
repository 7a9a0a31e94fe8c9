// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <string>

// Functions that several test programs have, each in its own build.
namespace shared {

int add(int a, int b);
#ifdef THE_TESTS_OWN_BUILD
std::string changed(std::string const& text);
#else
int changed(std::string const& text);
#endif

}  // namespace shared
