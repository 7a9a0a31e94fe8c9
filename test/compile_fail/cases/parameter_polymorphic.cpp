// SPDX-License-Identifier: BSL-1.0
// expect: pointer to a polymorphic class
#include "portal.hpp"

struct Animal {
  virtual ~Animal() = default;
  virtual void speak() = 0;
};

void adopt(std::vector<std::unique_ptr<Animal>> animals);

void use(Portal portal) { portal.run<adopt>(std::vector<std::unique_ptr<Animal>>()); }
