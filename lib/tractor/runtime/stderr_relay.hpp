// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/lock.hpp>

#include <cstddef>
#include <string>

namespace tractor::runtime {

// Passes on what a child writes to its standard error to the tree's, in whole lines where it can,
// and remembers the end of it: the last words of one that dies.
class StderrRelay {
 public:
  // `from`: the non-blocking end of a pipe. `writing` keeps relays from waiting for `to` at once.
  StderrRelay(int from, int to, trio::Lock& writing) noexcept
      : from_(from), to_(to), writing_(writing) {}

  // Relays until the other end is closed, or finish() has been called. A checkpoint.
  void run();
  // Takes what is there, waiting for no more: the child has ended (but what it started may hold the
  // pipe open). A checkpoint.
  void finish();

  // The last 16 KiB at the most, from the start of a line.
  std::string tail() const;

 private:
  enum class Read { something, nothing_yet, the_end };

  Read read_some();
  void pass_on(std::size_t count);

  int const from_;
  int const to_;
  trio::Lock& writing_;
  // Not passed on yet: the begin of a line.
  std::string pending_;
  std::string tail_;
  bool finished_ = false;
};

}  // namespace tractor::runtime
