// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace trio::detail {

// The program or a shared library of this process.
struct Module {
  std::string path;
  // What to add to an address as its file has it.
  std::uintptr_t base = 0;
  // Where its segments are: first address, and the one after the last.
  std::vector<std::pair<std::uintptr_t, std::uintptr_t>> segments = {};

  bool contains(std::uintptr_t address) const noexcept;
};

std::vector<Module> loaded_modules();

}  // namespace trio::detail
