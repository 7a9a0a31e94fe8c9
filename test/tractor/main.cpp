// SPDX-License-Identifier: BSL-1.0
#define DOCTEST_CONFIG_IMPLEMENT
#include <tractor/tractor.hpp>

#include <doctest/doctest.h>

int main(int argc, char** argv) {
  tractor::become_actor_if_spawned();
  return doctest::Context(argc, argv).run();
}
