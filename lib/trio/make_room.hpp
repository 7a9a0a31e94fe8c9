// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

namespace trio::detail {

// The next push_back() will not throw. Throws std::bad_alloc.
template <class T> void make_room(std::vector<T>& vector) {
  if (vector.size() == vector.capacity())
    vector.reserve(std::max<std::size_t>(16, 2 * vector.size()));
}

}  // namespace trio::detail
