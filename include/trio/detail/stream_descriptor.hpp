// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/descriptor.hpp>

namespace trio::detail {

// The descriptor of a stream or a listener: non-blocking while we have it, and who waits for it
// hears that it is closed.
class StreamDescriptor {
 public:
  // Throws std::system_error if it is not open.
  explicit StreamDescriptor(Descriptor given);
  StreamDescriptor(StreamDescriptor&&) noexcept = default;
  StreamDescriptor& operator=(StreamDescriptor&& other) noexcept;

  ~StreamDescriptor() { close(); }

  void close();

  // -1 if it was closed, or moved from.
  int get() const noexcept { return fd_.get(); }

  // Throws ClosedResourceError if it was closed, or moved from.
  int get_open() const;

 private:
  Descriptor fd_;
  // Others may share what it is a descriptor of, and find it as it was.
  bool was_blocking_;
};

}  // namespace trio::detail
