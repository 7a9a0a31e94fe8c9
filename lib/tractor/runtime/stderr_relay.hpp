// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/detail/tail.hpp>
#include <trio/event.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace tractor::runtime {

// Writes to the standard error of the tree what children have written, in their stead, in a task of
// its own: nobody else waits when whoever reads it does not.
class StderrOutlet {
 public:
  explicit StderrOutlet(int to) noexcept : to_(to) {}

  // Queues it; of more than a mebibyte the oldest is dropped, and that is said. Not a checkpoint.
  void add(std::string const& text);
  // Writes what is queued, for ever. A checkpoint.
  void run();
  // Waits until all is written. A checkpoint.
  void flush();

 private:
  void write_some();

  int const to_;
  std::string queue_;
  std::size_t dropped_ = 0;
  std::shared_ptr<trio::Event> filled_ = std::make_shared<trio::Event>();
  std::shared_ptr<trio::Event> emptied_ = std::make_shared<trio::Event>();
};

// Passes on what a child writes to its standard error, in whole lines where it can, and remembers
// the end of it: the last words of one that dies.
class StderrRelay {
 public:
  // `from`: the non-blocking end of a pipe.
  StderrRelay(int from, StderrOutlet& outlet) noexcept : from_(from), outlet_(outlet) {}

  // Relays until the other end is closed, or finish() has been called. A checkpoint.
  void run();
  // Takes what is there, waiting for nothing: the child has ended, but what it has started may hold
  // the pipe open and write on. Not a checkpoint.
  void finish();

  // The last 16 KiB at the most, from the start of a line if there is one.
  std::string tail() const { return tail_.text(); }

 private:
  enum class Read { something, nothing_yet, the_end };

  Read read_some();
  void pass_on(std::size_t count);

  int const from_;
  StderrOutlet& outlet_;
  // Not passed on yet: the begin of a line.
  std::string pending_;
  trio::detail::Tail tail_;
  bool finished_ = false;
};

}  // namespace tractor::runtime
