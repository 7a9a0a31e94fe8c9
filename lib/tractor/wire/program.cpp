// SPDX-License-Identifier: BSL-1.0
#include "program.hpp"

#include <tractor/expose.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <elf.h>
#include <link.h>

namespace tractor {
namespace {

// The segments of the main program, as the kernel mapped them.
struct Program {
  std::uintptr_t base = 0;
  std::span<ElfW(Phdr) const> segments;

  std::span<std::byte const> bytes(ElfW(Phdr) const& segment) const {
    return {reinterpret_cast<std::byte const*>(base + segment.p_vaddr), segment.p_memsz};
  }
};

Program const& program() {
  static Program const found = [] {
    Program main;
    // The first that is listed is the main program.
    auto const first = [](dl_phdr_info* info, std::size_t, void* result) {
      *static_cast<Program*>(result) = {info->dlpi_addr, {info->dlpi_phdr, info->dlpi_phnum}};
      return 1;
    };
    dl_iterate_phdr(first, &main);
    return main;
  }();
  return found;
}

// The build id among `notes`, if it is there.
std::optional<std::span<std::byte const>> find_build_id(std::span<std::byte const> notes) {
  auto const padded = [](std::size_t size) { return (size + 3) & ~std::size_t{3}; };
  ElfW(Nhdr) header;
  while (notes.size() >= sizeof(header)) {
    std::memcpy(&header, notes.data(), sizeof(header));
    std::size_t const name_at = sizeof(header);
    std::size_t const id_at = name_at + padded(header.n_namesz);
    if (id_at > notes.size() || header.n_descsz > notes.size() - id_at) break;
    bool const of_gnu = header.n_namesz == sizeof(ELF_NOTE_GNU) &&
                        std::memcmp(notes.data() + name_at, ELF_NOTE_GNU, header.n_namesz) == 0;
    if (of_gnu && header.n_type == NT_GNU_BUILD_ID) return notes.subspan(id_at, header.n_descsz);
    notes = notes.subspan(std::min(notes.size(), id_at + padded(header.n_descsz)));
  }
  return std::nullopt;
}

std::string hexadecimal(std::span<std::byte const> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (std::byte const byte : bytes) {
    text += digits[std::to_integer<std::size_t>(byte >> 4)];
    text += digits[std::to_integer<std::size_t>(byte & std::byte{15})];
  }
  return text;
}

// FNV-1a, over what a sanitizer guards between constants, too.
[[gnu::no_sanitize_address]] std::uint64_t hash_on(std::uint64_t hash, std::byte const* at,
                                                   std::byte const* end) {
  for (; at != end; ++at) hash = (hash ^ static_cast<std::uint64_t>(*at)) * 0x100000001b3;
  return hash;
}

// Stands in for a build id: what the linker laid out and the loader did not change.
std::string hash_of_code() {
  std::uint64_t hash = signature_hash("");
  for (auto const& segment : program().segments) {
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    auto const code = program().bytes(segment);
    hash = hash_on(hash, code.data(), code.data() + code.size());
  }
  std::array<std::uint64_t, 3> words{};
  for (auto& word : words) word = hash = (hash ^ hash >> 29) * 0xbf58476d1ce4e5b9;
  return hexadecimal(std::as_bytes(std::span(words)).first(20));
}

}  // namespace

namespace detail {

std::uint64_t offset_in_program(void const* address) {
  auto const at = reinterpret_cast<std::uintptr_t>(address);
  for (auto const& segment : program().segments) {
    std::uintptr_t const begin = program().base + segment.p_vaddr;
    if (segment.p_type == PT_LOAD && at >= begin && at - begin < segment.p_memsz)
      return at - program().base;
  }
  return 0;
}

}  // namespace detail

std::string const& build_id() {
  static std::string const id = [] {
    for (auto const& segment : program().segments)
      if (segment.p_type == PT_NOTE)
        if (auto const found = find_build_id(program().bytes(segment))) return hexadecimal(*found);
    return hash_of_code();
  }();
  return id;
}

}  // namespace tractor
