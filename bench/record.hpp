// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;

// What a program without Google Benchmark has measured, written as that would write it, so that
// table.py reads one format.
class Record {
 public:
  // One more measurement of `name`: from `begin` until now, divided among `items`.
  void add(std::string name, Clock::time_point begin, std::size_t items = 1) {
    std::chrono::duration<double, std::nano> const time = Clock::now() - begin;
    add_figure(std::move(name), time.count() / static_cast<double>(items));
  }

  // The same, already in nanoseconds (or in bytes).
  void add_figure(std::string name, double value) { entries_.push_back({std::move(name), value}); }

  // Throws std::runtime_error.
  void write(std::string const& path) const;

 private:
  struct Entry {
    std::string name;
    double value;
  };

  std::vector<Entry> entries_;
};

}  // namespace bench
