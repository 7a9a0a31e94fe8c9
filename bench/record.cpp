// SPDX-License-Identifier: BSL-1.0
#include "record.hpp"

#include <fstream>
#include <stdexcept>

#include <fmt/format.h>

namespace bench {

void Record::write(std::string const& path) const {
  std::ofstream file(path);
  file << "{\"benchmarks\": [\n";
  char const* separator = "";
  for (Entry const& entry : entries_) {
    file << separator
         << fmt::format(
                R"({{"name": "{}", "run_type": "iteration", "real_time": {}, "time_unit": "ns"}})",
                entry.name, entry.value);
    separator = ",\n";
  }
  file << "\n]}\n";
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

}  // namespace bench
