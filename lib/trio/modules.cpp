// SPDX-License-Identifier: BSL-1.0
#include "modules.hpp"

#include <algorithm>
#include <array>

#include <link.h>
#include <unistd.h>

namespace trio::detail {

namespace {

std::string path_of_program() {
  std::array<char, 4096> path{};
  ssize_t const length = readlink("/proc/self/exe", path.data(), path.size());
  return std::string(path.data(), length < 0 ? 0 : static_cast<std::size_t>(length));
}

int add_module(dl_phdr_info* info, std::size_t, void* modules) {
  Module module;
  module.path = info->dlpi_name;
  // The program itself has no name there.
  if (module.path.empty()) module.path = path_of_program();
  module.base = info->dlpi_addr;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    auto const& header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD) continue;
    std::uintptr_t const begin = info->dlpi_addr + header.p_vaddr;
    module.segments.emplace_back(begin, begin + header.p_memsz);
  }
  static_cast<std::vector<Module>*>(modules)->push_back(std::move(module));
  return 0;
}

}  // namespace

bool Module::contains(std::uintptr_t address) const noexcept {
  return std::any_of(segments.begin(), segments.end(), [address](auto const& segment) {
    return segment.first <= address && address < segment.second;
  });
}

std::vector<Module> loaded_modules() {
  std::vector<Module> modules;
  dl_iterate_phdr(add_module, &modules);
  return modules;
}

}  // namespace trio::detail
