// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <cstddef>

// Counts what this thread allocates by new, while there is one.
class CountedNew {
 public:
  CountedNew();
  CountedNew(CountedNew const&) = delete;
  CountedNew& operator=(CountedNew const&) = delete;
  ~CountedNew();

  // The most bytes that were asked for at once, and in all.
  std::size_t largest() const { return largest_; }

  std::size_t total() const { return total_; }

  static void count(std::size_t size);

 private:
  std::size_t largest_ = 0;
  std::size_t total_ = 0;
};
