// SPDX-License-Identifier: BSL-1.0
#include "stream_errors.hpp"

#include <trio/errors.hpp>

#include <stdexcept>
#include <string>
#include <system_error>

namespace trio::detail {

void throw_broken(int error) {
  throw BrokenResourceError("trio: the stream is broken: " +
                            std::generic_category().message(error));
}

void check_has_room(std::span<char> buffer) {
  if (buffer.empty())
    throw std::invalid_argument("trio: receive_some needs room for a byte at least");
}

}  // namespace trio::detail
