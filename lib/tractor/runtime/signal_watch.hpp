// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/descriptor.hpp>

#include <vector>

#include <signal.h>

namespace tractor::runtime {

// Hears signals, of the process, while it lives: the first one made does, others alive at the same
// time hear nothing. A signal whose handler was somebody else's is passed on to that too; one that
// is ignored stays ignored.
class SignalWatch {
 public:
  explicit SignalWatch(std::vector<int> const& signals);
  SignalWatch(SignalWatch const&) = delete;
  SignalWatch& operator=(SignalWatch const&) = delete;
  ~SignalWatch();

  // The next signal that came. A checkpoint.
  int wait();

  // Whether one has come that wait() would return at once.
  bool has_heard() const noexcept;

  // Whether nobody handles or ignores this signal.
  static bool is_default(int signal) noexcept;

 private:
  trio::Descriptor read_;
  trio::Descriptor write_;
  std::vector<int> heard_;
};

}  // namespace tractor::runtime
