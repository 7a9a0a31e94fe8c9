// SPDX-License-Identifier: BSL-1.0
#include "counted_new.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include <doctest/doctest.h>

namespace {

constinit thread_local CountedNew* counting = nullptr;

void* allocate_or_null(std::size_t size) noexcept {
  return CountedNew::count(size) ? std::malloc(std::max<std::size_t>(size, 1)) : nullptr;
}

void* allocate(std::size_t size) {
  if (void* const memory = allocate_or_null(size)) return memory;
  throw std::bad_alloc();
}

}  // namespace

CountedNew::CountedNew(std::size_t first_failing, std::size_t how_many)
    : first_failing_(first_failing), how_many_(how_many) {
  counting = this;
}

CountedNew::~CountedNew() { counting = nullptr; }

bool CountedNew::count(std::size_t size) {
  if (!counting) return true;
  counting->largest_ = std::max(counting->largest_, size);
  counting->total_ += size;
  ++counting->count_;
  return counting->count_ < counting->first_failing_ ||
         counting->count_ >= counting->first_failing_ + counting->how_many_;
}

void* operator new(std::size_t size) { return allocate(size); }

void* operator new[](std::size_t size) { return allocate(size); }

void* operator new(std::size_t size, std::nothrow_t const&) noexcept {
  return allocate_or_null(size);
}

void* operator new[](std::size_t size, std::nothrow_t const&) noexcept {
  return allocate_or_null(size);
}

void operator delete(void* memory) noexcept { std::free(memory); }

void operator delete[](void* memory) noexcept { std::free(memory); }

void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

TEST_CASE("allocations are counted") {
  CountedNew const counted;
  CHECK(counted.total() == 0);
  auto const value = std::make_unique<char[]>(1000);
  CHECK(counted.largest() == 1000);
  CHECK(counted.total() >= 1000);
}

TEST_CASE("one allocation fails, when its turn has come") {
  CountedNew const counted(2);
  auto const first = std::make_unique<int>(1);
  CHECK(!counted.has_failed());
  CHECK_THROWS_AS(std::make_unique<int>(2), std::bad_alloc);
  CHECK(counted.has_failed());
  CHECK_NOTHROW(std::make_unique<int>(3));
}
