// SPDX-License-Identifier: BSL-1.0
#define DOCTEST_CONFIG_IMPLEMENT
#include "../run_tests.hpp"

int main(int argc, char** argv) { return support::run_tests(argc, argv); }
