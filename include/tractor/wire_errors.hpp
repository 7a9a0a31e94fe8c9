// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <stdexcept>

namespace tractor {

// Received bytes are not a value of the type they were to be read as: they end too early, go on
// after the end, name a size or an alternative that cannot be, or nest too deep. what() says what
// was being read, how many bytes were wanted and how many were left.
struct DecodeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A value that no receiver would accept: it nests too deep, or is a valueless variant.
struct EncodeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace tractor
