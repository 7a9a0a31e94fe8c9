// SPDX-License-Identifier: BSL-1.0
#define DOCTEST_CONFIG_IMPLEMENT
#include "../run_tests.hpp"

#include <tractor/tractor.hpp>

int main(int argc, char** argv) {
  tractor::become_actor_if_spawned();
  return support::run_tests(argc, argv);
}
