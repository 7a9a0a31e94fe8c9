// SPDX-License-Identifier: BSL-1.0
#include <trio/detail/tail.hpp>

#include <cstddef>

namespace trio::detail {

namespace {

constexpr std::size_t longest = 16 * 1024;

}  // namespace

void Tail::add(std::string_view piece) {
  kept_ += piece;
  if (kept_.size() > 2 * longest) kept_ = text();
}

std::string Tail::text() const {
  if (kept_.size() <= longest) return kept_;
  std::size_t const cut = kept_.size() - longest;
  std::size_t const line = kept_.find('\n', cut);
  return kept_.substr(line == std::string::npos || line + 1 == kept_.size() ? cut : line + 1);
}

}  // namespace trio::detail
