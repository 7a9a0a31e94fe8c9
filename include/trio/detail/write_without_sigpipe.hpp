// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <cstddef>

#include <sys/types.h>

namespace trio::detail {

// write(2), but that nobody may ever read it is an error (EPIPE) and no signal: for pipes, as
// sockets have a flag for it.
ssize_t write_without_sigpipe(int fd, void const* data, std::size_t size) noexcept;

}  // namespace trio::detail
