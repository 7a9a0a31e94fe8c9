// SPDX-License-Identifier: BSL-1.0
#include "unique_id.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>

#include <fmt/format.h>
#include <sys/random.h>

namespace tractor::runtime {

std::string make_unique_id() {
  std::array<std::uint64_t, 2> bits{};
  // Never short for so few bytes, once the kernel has been seeded; until then it waits.
  if (getrandom(bits.data(), sizeof bits, 0) != static_cast<ssize_t>(sizeof bits))
    throw std::system_error(errno, std::generic_category(), "tractor: getrandom");
  return fmt::format("{:016x}{:016x}", bits[0], bits[1]);
}

}  // namespace tractor::runtime
