// SPDX-License-Identifier: BSL-1.0
#include "deadline_heap.hpp"

#include "make_room.hpp"

namespace trio::detail {

void DeadlineHeap::make_room() { detail::make_room(entries_); }

void DeadlineHeap::insert(DeadlineEntry& what, Time deadline) {
  entries_.emplace_back();
  sift_up({deadline, sequence_++, &what}, entries_.size() - 1);
}

void DeadlineHeap::remove(DeadlineEntry& what) noexcept {
  std::size_t const position = what.heap_position;
  if (position == DeadlineEntry::not_in_heap) return;
  what.heap_position = DeadlineEntry::not_in_heap;
  Entry const last = entries_.back();
  entries_.pop_back();
  if (position == entries_.size()) return;
  bool const goes_up = position > 0 && last.before(entries_[(position - 1) / 2]);
  if (goes_up)
    sift_up(last, position);
  else
    sift_down(last, position);
}

void DeadlineHeap::place(Entry const& entry, std::size_t position) noexcept {
  entries_[position] = entry;
  entry.what->heap_position = position;
}

void DeadlineHeap::sift_up(Entry entry, std::size_t position) noexcept {
  while (position > 0) {
    std::size_t const parent = (position - 1) / 2;
    if (!entry.before(entries_[parent])) break;
    place(entries_[parent], position);
    position = parent;
  }
  place(entry, position);
}

void DeadlineHeap::sift_down(Entry entry, std::size_t position) noexcept {
  for (;;) {
    std::size_t child = 2 * position + 1;
    if (child >= entries_.size()) break;
    if (child + 1 < entries_.size() && entries_[child + 1].before(entries_[child])) ++child;
    if (!entries_[child].before(entry)) break;
    place(entries_[child], position);
    position = child;
  }
  place(entry, position);
}

}  // namespace trio::detail
