// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <cstddef>

namespace trio::detail {

// Something that happens at a time: base of what stands in a run's heap of deadlines.
struct DeadlineEntry {
  enum class Kind { scope, sleeper };

  explicit DeadlineEntry(Kind what) noexcept : kind(what) {}

  static constexpr std::size_t not_in_heap = static_cast<std::size_t>(-1);

  Kind const kind;
  std::size_t heap_position = not_in_heap;
};

}  // namespace trio::detail
