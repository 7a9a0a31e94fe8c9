// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "temporary_directory.hpp"

#include <cstdlib>
#include <iostream>

#include <doctest/doctest.h>

namespace support {

// What a test program's main returns. Tests that leave a file behind have failed.
inline int run_tests(int argc, char** argv) {
  TemporaryDirectory const directory;
  directory.take_over();
  int const failed = doctest::Context(argc, argv).run();
  auto const left = directory.names();
  for (auto const& name : left) std::cout << "A test has left " << name << " behind.\n";
  return left.empty() ? failed : EXIT_FAILURE;
}

}  // namespace support
