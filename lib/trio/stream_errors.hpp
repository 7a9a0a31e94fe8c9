// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <span>

namespace trio::detail {

inline constexpr char const* already_sending = "trio: another task is sending on this stream";
inline constexpr char const* already_receiving = "trio: another task is receiving from this stream";

// The BrokenResourceError of a stream whose descriptor the kernel has answered with `error`.
[[noreturn]] void throw_broken(int error);

// Throws std::invalid_argument if nothing fits: to receive nothing means the end.
void check_has_room(std::span<char> buffer);

}  // namespace trio::detail
