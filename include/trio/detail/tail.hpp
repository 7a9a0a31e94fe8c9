// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <string>
#include <string_view>

namespace trio::detail {

// The end of a text that comes in pieces: the last words of a program.
class Tail {
 public:
  void add(std::string_view piece);

  // The last 16 KiB at the most, from the start of a line if there is one.
  std::string text() const;

 private:
  std::string kept_;
};

}  // namespace trio::detail
