// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <atomic>
#include <cstddef>

namespace trio::detail {

// One membership of an object in one intrusive list. An object derives from Hook<Tag> once for
// each list it may be in; leaving needs neither the list nor a search, and nothing is allocated. A
// signal handler that interrupts a change, and walks the list forwards, finds it as it was before
// or as it will be after.
template <class Tag> class Hook {
 public:
  Hook() = default;
  Hook(Hook const&) = delete;
  Hook& operator=(Hook const&) = delete;

  ~Hook() { unlink(); }

  bool is_linked() const noexcept { return next_ != this; }

  void unlink() noexcept {
    prev_->next_ = next_;
    next_->prev_ = prev_;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    prev_ = next_ = this;
  }

 private:
  template <class, class> friend class List;

  void insert_before(Hook& position) noexcept {
    prev_ = position.prev_;
    next_ = &position;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    prev_->next_ = this;
    position.prev_ = this;
  }

  Hook* prev_ = this;
  Hook* next_ = this;
};

// A doubly linked list of objects that live elsewhere, in order of insertion. T may be incomplete
// until a member function that touches an element is used.
template <class T, class Tag> class List {
 public:
  bool empty() const noexcept { return !head_.is_linked(); }

  void push_back(T& item) noexcept { hook(item).insert_before(head_); }

  T& front() noexcept { return item(*head_.next_); }

  T& pop_front() noexcept {
    T& first = front();
    hook(first).unlink();
    return first;
  }

  // Next after `current`, or null at the end; `current` null means the first.
  T* next(T* current) const noexcept {
    Hook<Tag>* following = current ? hook(*current).next_ : head_.next_;
    return following == &head_ ? nullptr : &item(*following);
  }

  // Counts them.
  std::size_t size() const noexcept {
    std::size_t count = 0;
    for (Hook<Tag>* each = head_.next_; each != &head_; each = each->next_) ++count;
    return count;
  }

 private:
  static Hook<Tag>& hook(T& object) noexcept { return object; }

  static T& item(Hook<Tag>& hook) noexcept { return static_cast<T&>(hook); }

  Hook<Tag> head_;
};

}  // namespace trio::detail
