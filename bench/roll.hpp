// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <cstddef>
#include <string>

namespace bench {

// Counts actors, anywhere below this one, that say they are up: by a byte each in a pipe, which
// costs them next to nothing and the runtime that is measured nothing.
class Roll {
 public:
  Roll();
  Roll(Roll const&) = delete;
  Roll& operator=(Roll const&) = delete;
  ~Roll();

  // What those are given who are to sign.
  std::string address() const;

  // Waits for `count` more signatures. A checkpoint.
  void wait_for(std::size_t count);

  // By an actor of the tree.
  static void sign(std::string const& address);

 private:
  int read_ = -1;
  int write_ = -1;
};

}  // namespace bench
