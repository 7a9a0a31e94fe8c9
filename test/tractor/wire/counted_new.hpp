// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <cstddef>

// Counts what this thread allocates by new, while there is one; and may have one of it fail.
class CountedNew {
 public:
  CountedNew() : CountedNew(0) {}

  // From the one of this number, from 1 on, so many throw std::bad_alloc.
  explicit CountedNew(std::size_t first_failing, std::size_t how_many = 1);
  CountedNew(CountedNew const&) = delete;
  CountedNew& operator=(CountedNew const&) = delete;
  ~CountedNew();

  // The most bytes that were asked for at once, and in all.
  std::size_t largest() const { return largest_; }

  std::size_t total() const { return total_; }

  // Whether one has failed.
  bool has_failed() const { return first_failing_ != 0 && count_ >= first_failing_; }

  // False: it is to fail.
  static bool count(std::size_t size);

 private:
  std::size_t const first_failing_;
  std::size_t const how_many_;
  std::size_t count_ = 0;
  std::size_t largest_ = 0;
  std::size_t total_ = 0;
};
