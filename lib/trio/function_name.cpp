// SPDX-License-Identifier: BSL-1.0
#include "function_name.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <span>
#include <string_view>
#include <unordered_map>

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace trio::detail {

namespace {

// A file in memory, empty if it cannot be read.
class MappedFile {
 public:
  explicit MappedFile(char const* path) {
    int const fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    struct stat status = {};
    if (fstat(fd, &status) == 0 && status.st_size > 0) {
      auto const size = static_cast<std::size_t>(status.st_size);
      void* memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
      if (memory != MAP_FAILED) bytes_ = {static_cast<std::byte const*>(memory), size};
    }
    close(fd);
  }

  MappedFile(MappedFile const&) = delete;
  MappedFile& operator=(MappedFile const&) = delete;

  ~MappedFile() {
    if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }

  // `count` objects from `offset` on; none if the file is too short.
  template <class T> std::span<T const> at(std::size_t offset, std::size_t count) const noexcept {
    if (offset > bytes_.size() || count > (bytes_.size() - offset) / sizeof(T)) return {};
    return {reinterpret_cast<T const*>(bytes_.data() + offset), count};
  }

 private:
  std::span<std::byte const> bytes_;
};

// What dladdr does not see: the symbols of functions that are not exported.
std::string name_in_symbol_table(MappedFile const& file, std::uintptr_t offset) {
  auto const header = file.at<ElfW(Ehdr)>(0, 1);
  if (header.empty() || std::memcmp(header[0].e_ident, ELFMAG, SELFMAG) != 0) return {};
  auto const sections = file.at<ElfW(Shdr)>(header[0].e_shoff, header[0].e_shnum);
  for (auto const& section : sections) {
    if (section.sh_type != SHT_SYMTAB || section.sh_link >= sections.size()) continue;
    auto const& strings = sections[section.sh_link];
    auto const text = file.at<char>(strings.sh_offset, strings.sh_size);
    for (auto const& symbol :
         file.at<ElfW(Sym)>(section.sh_offset, section.sh_size / sizeof(ElfW(Sym)))) {
      // The type stands in the same place in 32 and 64 bits.
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_value != offset) continue;
      if (symbol.st_name >= text.size()) continue;
      std::string_view const rest(text.data() + symbol.st_name, text.size() - symbol.st_name);
      return std::string(rest.substr(0, rest.find('\0')));
    }
  }
  return {};
}

std::string look_up(void const* address) {
  Dl_info info = {};
  link_map* module = nullptr;
  if (!dladdr1(address, &info, reinterpret_cast<void**>(&module), RTLD_DL_LINKMAP)) return {};
  if (info.dli_sname && info.dli_saddr == address) return info.dli_sname;
  // The program itself has no name there.
  MappedFile const file(*module->l_name ? module->l_name : "/proc/self/exe");
  return name_in_symbol_table(file, reinterpret_cast<std::uintptr_t>(address) - module->l_addr);
}

}  // namespace

std::string function_name(void const* address) {
  static std::mutex mutex;
  static std::unordered_map<void const*, std::string> known;
  std::lock_guard const lock(mutex);
  auto const found = known.find(address);
  return found != known.end() ? found->second
                              : known.emplace(address, look_up(address)).first->second;
}

}  // namespace trio::detail
