// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/dialog.hpp>

#include <string>

// Functions that several test programs have, each in its own build.
namespace shared {

int add(int a, int b);
#ifdef THE_TESTS_OWN_BUILD
std::string changed(std::string const& text);
#else
int changed(std::string const& text);
#endif

// A dialog that both builds know alike, and one whose second message differs.
struct Alike : tractor::Protocol<tractor::ToCallee<int>, tractor::ToCaller<int>> {};

tractor::Finished<Alike> alike(tractor::CalleeDialog<Alike> dialog);

#ifdef THE_TESTS_OWN_BUILD
using Second = int;
#else
using Second = std::string;
#endif
struct Unlike : tractor::Protocol<tractor::ToCallee<int>, tractor::ToCaller<Second>> {};

tractor::Finished<Unlike> unlike(tractor::CalleeDialog<Unlike> dialog);

}  // namespace shared
