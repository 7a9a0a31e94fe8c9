// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace trio::detail {

// Memory for one task's stack. `bottom` is its lowest usable address; below it lies the guard, wide
// enough that no frame of a sensible size jumps over it into the neighbour.
struct Stack {
  std::byte* bottom = nullptr;
  std::size_t size = 0;
  // The guard below does not stop anybody: a canary stands at the bottom instead.
  bool canary = false;

  std::byte* top() const noexcept { return bottom + size; }

  // Whether an access to this address means that the stack overflowed.
  bool is_guard(void const* address) const noexcept;
};

// Cuts stacks out of large mappings, each with a guard below it where the kernel lets us have one.
// Stacks are kept by whoever took them; all memory goes when the arena goes.
class StackArena {
 public:
  StackArena(std::size_t stack_size, std::size_t max_guarded);
  StackArena(StackArena const&) = delete;
  StackArena& operator=(StackArena const&) = delete;
  ~StackArena();

  // Throws std::bad_alloc when the kernel gives no more memory or mappings.
  Stack make();

 private:
  void map_slab();
  std::byte* bottom(std::byte* slab, std::size_t index) const noexcept;
  void protect(Stack& stack);

  std::size_t const stack_size_;
  std::size_t const max_guarded_;
  std::size_t mapped_guards_ = 0;
  std::vector<std::byte*> slabs_;
  // Of the newest slab: how many of its stacks are taken.
  std::size_t taken_ = 0;
};

// Puts a known value at the bottom of a stack whose guard stops nobody.
void place_canary(Stack const& stack) noexcept;
// False for a stack without a canary.
bool canary_is_broken(Stack const& stack) noexcept;

}  // namespace trio::detail
