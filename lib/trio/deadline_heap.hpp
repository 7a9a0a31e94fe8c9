// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/detail/deadline_entry.hpp>
#include <trio/time.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace trio::detail {

// What is due at a time, open scopes and sleeping tasks: soonest first; of equal ones, the one
// inserted first. Entries know their position, so removing one costs no search and leaves nothing.
class DeadlineHeap {
 public:
  bool empty() const noexcept { return entries_.empty(); }

  std::size_t size() const noexcept { return entries_.size(); }

  // Of the soonest. The heap must not be empty.
  Time next() const noexcept { return entries_.front().deadline; }

  DeadlineEntry& front() const noexcept { return *entries_.front().what; }

  // The next insert() will not throw. Throws std::bad_alloc.
  void make_room();
  // It must not be in the heap. Throws std::bad_alloc.
  void insert(DeadlineEntry& what, Time deadline);
  // Does nothing if it is not in the heap.
  void remove(DeadlineEntry& what) noexcept;

 private:
  struct Entry {
    Time deadline;
    std::uint64_t sequence;
    DeadlineEntry* what;

    bool before(Entry const& other) const noexcept {
      return deadline != other.deadline ? deadline < other.deadline : sequence < other.sequence;
    }
  };

  void place(Entry const& entry, std::size_t position) noexcept;
  void sift_up(Entry entry, std::size_t position) noexcept;
  void sift_down(Entry entry, std::size_t position) noexcept;

  std::vector<Entry> entries_;
  std::uint64_t sequence_ = 0;
};

}  // namespace trio::detail
