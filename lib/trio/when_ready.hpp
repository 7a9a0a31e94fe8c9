// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/detail/stream_descriptor.hpp>
#include <trio/lowlevel.hpp>

#include <cerrno>

#include <sys/types.h>

namespace trio::detail {

// Makes a system call that does not block, `call(fd)`, as soon as the descriptor is ready, which
// `wait` waits for; returns what it returns, -1 and errno if it fails. A checkpoint always; if
// cancelled, the call had no effect. Throws ClosedResourceError if the descriptor is closed, also
// meanwhile.
template <class Call>
ssize_t when_ready(StreamDescriptor const& descriptor, void (*wait)(int), Call&& call) {
  lowlevel::checkpoint_if_cancelled();
  bool waited = false;
  for (;;) {
    ssize_t const result = call(descriptor.get_open());
    if (result < 0 && errno == EINTR) continue;
    if (result < 0 && errno == EAGAIN) {
      wait(descriptor.get());
      waited = true;
      continue;
    }
    if (!waited) {
      int const error = errno;
      lowlevel::cancel_shielded_checkpoint();
      errno = error;
    }
    return result;
  }
}

}  // namespace trio::detail
