// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <cstddef>

namespace tractor {

// What becomes of items for which the reader of a stream has no room left.
enum class Overrun : unsigned char {
  // They are not sent: the sender waits until enough was read. Nothing is lost.
  wait,
  // Both sides fail with StreamOverrun.
  error,
  // The oldest that was not read is dropped, for the newest.
  drop_oldest,
  // The newest is dropped.
  drop_newest,
};

// How this side reads its stream. Each side has its own.
struct StreamOptions {
  // The items, and the bytes of them, that may be on their way and unread at a time, whichever is
  // reached first; one item may exceed the latter. Until the stream is open, and a smaller window
  // until so much was read, it is as by default.
  std::size_t window = 64;
  std::size_t window_bytes = std::size_t(1) << 20;
  Overrun overrun = Overrun::wait;
};

}  // namespace tractor
