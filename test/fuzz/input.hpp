// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace fuzz {

// The bytes that libFuzzer gives, taken one decision after the other; zeros when they are used up.
class Input {
 public:
  Input(std::uint8_t const* data, std::size_t size) : at_(data), left_(size) {}

  bool is_empty() const { return left_ == 0; }

  template <class T> T take() {
    T value = {};
    std::size_t const size = std::min(left_, sizeof value);
    std::memcpy(&value, at_, size);
    at_ += size;
    left_ -= size;
    return value;
  }

  // Below `sides`.
  unsigned choose(unsigned sides) { return take<std::uint8_t>() % sides; }

  std::string text() {
    std::size_t const length = take<std::uint8_t>();
    std::string taken(std::min(left_, length), 0);
    for (char& each : taken) each = take<char>();
    return taken;
  }

 private:
  std::uint8_t const* at_;
  std::size_t left_;
};

}  // namespace fuzz
