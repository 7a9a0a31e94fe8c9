// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "temporary_directory.hpp"

#include <cstdlib>
#include <iostream>

#include <doctest/doctest.h>

namespace support {

// What a test program's main returns. Tests that leave a temporary file behind have failed.
inline int run_tests(int argc, char** argv) {
  // A test that has started this program again, perhaps to die of it, looks after it.
  static constexpr char const* is_inside = "TESTS_RUN_INSIDE_TESTS";
  if (std::getenv(is_inside)) return doctest::Context(argc, argv).run();
  setenv(is_inside, "1", 1);
  TemporaryDirectory const directory;
  directory.take_over();
  int const failed = doctest::Context(argc, argv).run();
  auto const left = directory.names();
  for (auto const& name : left) std::cout << "A test has left " << name << " behind.\n";
  return left.empty() ? failed : EXIT_FAILURE;
}

}  // namespace support
