// SPDX-License-Identifier: BSL-1.0
#include "stack.hpp"

#include "sanitizer.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include <sys/mman.h>
#include <unistd.h>

namespace trio::detail {

namespace {

constexpr std::size_t stacks_per_slab = 16;
constexpr std::uint64_t canary_word = 0x7472696f73746163;
constexpr std::size_t canary_words = 8;
// Linux 6.13: guards inside a mapping, at no cost in mappings. Not in Debian 12's headers.
constexpr int madv_guard_install = 102;

std::size_t page_size() noexcept {
  static std::size_t const size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

std::size_t whole_pages(std::size_t size) noexcept {
  return (size + page_size() - 1) / page_size() * page_size();
}

// Costs addresses only, and in a mapping of its own as much as a single page would.
std::size_t guard_size() noexcept { return whole_pages(64 * 1024); }

}  // namespace

bool Stack::is_guard(void const* address) const noexcept {
  auto const* at = static_cast<std::byte const*>(address);
  return !canary && at < bottom && at >= bottom - guard_size();
}

StackArena::StackArena(std::size_t stack_size, std::size_t max_guarded)
    : stack_size_(std::max(whole_pages(stack_size), 4 * page_size())),
      max_guarded_(max_guarded),
      taken_(stacks_per_slab) {}

StackArena::~StackArena() {
  for (std::byte* slab : slabs_) {
    std::size_t const made = slab == slabs_.back() ? taken_ : stacks_per_slab;
    for (std::size_t i = 0; i < made; ++i) sanitizer::stack_unmapped(bottom(slab, i), stack_size_);
    munmap(slab, stacks_per_slab * (stack_size_ + guard_size()));
  }
}

void StackArena::map_slab() {
  std::size_t const size = stacks_per_slab * (stack_size_ + guard_size());
  slabs_.reserve(slabs_.size() + 1);
  void* slab = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (slab == MAP_FAILED) throw std::bad_alloc();
  // Huge pages would back a stack that uses 4 KiB with 2 MiB.
  madvise(slab, size, MADV_NOHUGEPAGE);
  slabs_.push_back(static_cast<std::byte*>(slab));
  taken_ = 0;
}

std::byte* StackArena::bottom(std::byte* slab, std::size_t index) const noexcept {
  return slab + index * (stack_size_ + guard_size()) + guard_size();
}

Stack StackArena::make() {
  if (taken_ == stacks_per_slab) map_slab();
  Stack stack;
  stack.bottom = bottom(slabs_.back(), taken_);
  stack.size = stack_size_;
  protect(stack);
  sanitizer::stack_mapped(stack.bottom, stack.size);
  ++taken_;
  return stack;
}

void StackArena::protect(Stack& stack) {
  std::byte* guard = stack.bottom - guard_size();
  if (madvise(guard, guard_size(), madv_guard_install) == 0) return;
  if (mapped_guards_ < max_guarded_ && mprotect(guard, guard_size(), PROT_NONE) == 0) {
    ++mapped_guards_;
    return;
  }
  stack.canary = true;
  place_canary(stack);
}

void place_canary(Stack const& stack) noexcept {
  for (std::size_t i = 0; i < canary_words; ++i)
    std::memcpy(stack.bottom + i * sizeof canary_word, &canary_word, sizeof canary_word);
}

bool canary_is_broken(Stack const& stack) noexcept {
  for (std::size_t i = 0; i < (stack.canary ? canary_words : 0); ++i)
    if (std::memcmp(stack.bottom + i * sizeof canary_word, &canary_word, sizeof canary_word) != 0)
      return true;
  return false;
}

}  // namespace trio::detail
