// SPDX-License-Identifier: BSL-1.0
#include <trio/lowlevel.hpp>
#include <trio/stream.hpp>

#include <algorithm>
#include <memory>

namespace trio {

namespace {

// Between a piece and where it is copied from, which is next to it more often than not: where the
// two begin less than 64 bytes apart but for whole pages, some processors copy at a tenth of their
// speed.
constexpr std::size_t gap = 256;

}  // namespace

void Closeable::aclose() {
  close();
  lowlevel::checkpoint();
}

std::string ReceiveStream::receive_some(std::size_t max_bytes) {
  // Memory that nobody touches before something arrives: many tasks may be waiting in here.
  // Without the gap where there is none to be had, and no memory either.
  auto const room = std::make_unique_for_overwrite<char[]>(std::max(max_bytes, max_bytes + gap));
  return std::string(room.get(), receive_some(std::span<char>(room.get(), max_bytes)));
}

}  // namespace trio
