// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <utility>

#include <unistd.h>

namespace trio {

// A file descriptor that is closed with its owner; -1 for none. It knows nothing of runs: what
// tasks may wait for is closed by a stream or a listener, or after lowlevel::notify_closing.
class Descriptor {
 public:
  Descriptor() = default;

  explicit Descriptor(int fd) noexcept : fd_(fd) {}

  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }

  int get() const noexcept { return fd_; }

  // Gives it away.
  int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

}  // namespace trio
