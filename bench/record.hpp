// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <chrono>
#include <string>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;

// What a program without Google Benchmark has measured, written as that would write it, so that
// table.py reads one format.
class Record {
 public:
  // One more measurement of `name`: from `begin` until `end`.
  void add(std::string name, Clock::time_point begin, Clock::time_point end = Clock::now()) {
    entries_.push_back({std::move(name), end - begin});
  }

  // Throws std::runtime_error.
  void write(std::string const& path) const;

 private:
  struct Entry {
    std::string name;
    std::chrono::nanoseconds time;
  };

  std::vector<Entry> entries_;
};

}  // namespace bench
