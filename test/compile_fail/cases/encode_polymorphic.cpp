// SPDX-License-Identifier: BSL-1.0
// expect: pointer to a polymorphic class
#include "portal.hpp"

struct Animal {
  virtual ~Animal() = default;
};

tractor::Buffer use() { return tractor::encode(std::unique_ptr<Animal>()); }
