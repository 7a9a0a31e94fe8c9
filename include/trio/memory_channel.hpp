// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/detail/is_parked.hpp>
#include <trio/detail/list.hpp>
#include <trio/errors.hpp>
#include <trio/lowlevel.hpp>
#include <trio/unbounded.hpp>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

namespace trio {

// What a channel holds, and who uses it: of the channel as a whole, at whichever end one asks.
// Mirrors trio.MemoryChannelStatistics.
struct MemoryChannelStatistics {
  std::size_t current_buffer_used = 0;
  std::size_t max_buffer_size = 0;
  std::size_t open_send_channels = 0;
  std::size_t open_receive_channels = 0;
  std::size_t tasks_waiting_send = 0;
  std::size_t tasks_waiting_receive = 0;
  // The most that the buffer has held so far.
  std::size_t peak_buffer_used = 0;
};

template <class T> class MemorySendChannel;
template <class T> class MemoryReceiveChannel;
template <class T> struct MemoryChannelPair;

namespace detail {

struct ChannelWaiterTag;

// A task parked at a channel's end. Lives on that task's stack.
template <class T> struct ChannelWaiter : Hook<ChannelWaiterTag> {
  Task& task;
  // The end object it waits at, whose closing wakes it.
  void const* end;
  // A sender's value to take, or a receiver's to fill.
  std::optional<T> value;
};

template <class T> class ChannelState {
 public:
  explicit ChannelState(std::size_t capacity) : capacity_(capacity) {}

  using Waiter = ChannelWaiter<T>;
  using Waiters = List<Waiter, ChannelWaiterTag>;

  // Hands `value` on if there is room. Throws BrokenResourceError if nobody can receive. A T that
  // throws when moved leaves everybody where they were, here and in try_receive.
  bool try_send(T& value) {
    if (open_receivers == 0)
      throw BrokenResourceError("trio: send on a memory channel whose receivers are all closed");
    if (Waiter* const receiver = first_parked(receivers_)) {
      lowlevel::detail_wake::check(receiver->task);
      receiver->value.emplace(std::move(value));
      wake_checked(*receiver);
      return true;
    }
    if (buffer_.size() >= capacity_) return false;
    buffer_.push_back(std::move(value));
    peak_ = std::max(peak_, buffer_.size());
    return true;
  }

  // The next value, if there is one now.
  std::optional<T> try_receive() {
    if (Waiter* const sender = first_parked(senders_)) {
      lowlevel::detail_wake::check(sender->task);
      if (buffer_.empty()) {
        std::optional<T> value(std::move(*sender->value));
        wake_checked(*sender);
        return value;
      }
      buffer_.push_back(std::move(*sender->value));
      wake_checked(*sender);
    }
    if (buffer_.empty()) return std::nullopt;
    std::optional<T> value(std::move(buffer_.front()));
    buffer_.pop_front();
    return value;
  }

  bool at_end() const noexcept { return open_senders == 0; }

  void wait_to_send(void const* end, T value) {
    Waiter waiter{{}, lowlevel::current_task(), end, std::move(value)};
    wait(waiter, senders_);
  }

  // Empty at the end of the channel.
  std::optional<T> wait_to_receive(void const* end) {
    Waiter waiter{{}, lowlevel::current_task(), end, std::nullopt};
    wait(waiter, receivers_);
    return std::move(waiter.value);
  }

  void close_sender(void const* end) {
    wake_waiters_at(end, senders_, "trio: the send channel was closed while a task waited in send");
    if (--open_senders > 0) return;
    while (Waiter* const receiver = first_parked(receivers_)) wake(*receiver);
  }

  void close_receiver(void const* end) {
    wake_waiters_at(end, receivers_,
                    "trio: the receive channel was closed while a task waited in receive");
    if (--open_receivers > 0) return;
    while (Waiter* const sender = first_parked(senders_))
      wake(*sender, std::make_exception_ptr(BrokenResourceError(
                        "trio: the last receiver of the memory channel was closed")));
    std::deque<T>().swap(buffer_);
  }

  MemoryChannelStatistics statistics() const {
    return {buffer_.size(),  capacity_,         open_senders, open_receivers,
            senders_.size(), receivers_.size(), peak_};
  }

  std::size_t open_senders = 0;
  std::size_t open_receivers = 0;

 private:
  static void wait(Waiter& waiter, Waiters& queue) {
    queue.push_back(waiter);
    lowlevel::wait_task_rescheduled([&waiter](lowlevel::RaiseCancel const&) {
      waiter.unlink();
      return lowlevel::Abort::succeeded;
    });
    if (waiter.is_linked())
      throw MisuseError("trio: a task waiting at a memory channel was rescheduled by hand");
  }

  // Leaves it in the queue if it belongs to another thread's run: that throws.
  static void wake(Waiter& waiter, std::exception_ptr error = nullptr) {
    lowlevel::reschedule(waiter.task, std::move(error));
    waiter.unlink();
  }

  // The same after a check, with no error.
  static void wake_checked(Waiter& waiter) noexcept {
    waiter.unlink();
    lowlevel::detail_wake::wake(waiter.task);
  }

  static void wake_waiters_at(void const* end, Waiters& queue, char const* why) {
    for (Waiter* waiter = queue.next(nullptr); waiter;) {
      Waiter* following = queue.next(waiter);
      if (waiter->end == end && is_parked(waiter->task))
        wake(*waiter, std::make_exception_ptr(ClosedResourceError(why)));
      waiter = following;
    }
  }

  std::size_t const capacity_;
  std::deque<T> buffer_;
  std::size_t peak_ = 0;
  Waiters senders_;
  Waiters receivers_;
};

}  // namespace detail

// The sending end of a memory channel. Closes when destroyed. Clones send into the same channel.
// Do not move it while a task waits in it. For one run's thread only: waking a task of another
// thread's run throws MisuseError. Mirrors trio.MemorySendChannel.
template <class T> class MemorySendChannel {
 public:
  MemorySendChannel(MemorySendChannel&& other) noexcept
      : state_(std::move(other.state_)), closed_(std::exchange(other.closed_, true)) {}

  MemorySendChannel& operator=(MemorySendChannel&& other) noexcept {
    if (this != &other) {
      close();
      state_ = std::move(other.state_);
      closed_ = std::exchange(other.closed_, true);
    }
    return *this;
  }

  ~MemorySendChannel() { close(); }

  // Sends, waiting while the buffer is full; a checkpoint always. Cancelled: nothing was sent.
  // Throws ClosedResourceError if this end is closed (also meanwhile), BrokenResourceError if no
  // receiver is left, MisuseError outside a task or if someone reschedules the task by hand.
  void send(T value) {
    lowlevel::checkpoint_if_cancelled();
    auto& state = open_state();
    if (state.try_send(value))
      lowlevel::cancel_shielded_checkpoint();
    else
      state.wait_to_send(this, std::move(value));
  }

  // Sends at once or throws WouldBlock; else as send(). Not a checkpoint.
  void send_nowait(T value) {
    if (!open_state().try_send(value)) throw WouldBlock();
  }

  // Another sending end. Throws ClosedResourceError if this one is closed.
  MemorySendChannel clone() const {
    open_state();
    return MemorySendChannel(state_);
  }

  // Idempotent; not a checkpoint. Tasks that wait in send() here get ClosedResourceError; when the
  // last sending end closes, receivers see the end of the channel after what is buffered.
  void close() {
    if (!std::exchange(closed_, true)) state_->close_sender(this);
  }

  // Of the channel, though this end be closed; of none if it was moved from. Counts the tasks that
  // wait. Not a checkpoint.
  MemoryChannelStatistics statistics() const {
    return state_ ? state_->statistics() : MemoryChannelStatistics();
  }

 private:
  friend struct MemoryChannelPair<T>;
  template <class U> friend MemoryChannelPair<U> open_memory_channel(std::size_t);

  explicit MemorySendChannel(std::shared_ptr<detail::ChannelState<T>> state)
      : state_(std::move(state)) {
    ++state_->open_senders;
  }

  // Not to be used after a wait, during which this end may be closed and destroyed.
  detail::ChannelState<T>& open_state() const {
    if (closed_) throw ClosedResourceError("trio: this send channel is closed");
    return *state_;
  }

  // Null when moved from.
  std::shared_ptr<detail::ChannelState<T>> state_;
  bool closed_ = false;
};

// The receiving end of a memory channel. Closes when destroyed. Clones compete for the values.
// Range-for receives until the end of the channel. For one run's thread only, as the sending end.
// Mirrors trio.MemoryReceiveChannel.
template <class T> class MemoryReceiveChannel {
 public:
  MemoryReceiveChannel(MemoryReceiveChannel&& other) noexcept
      : state_(std::move(other.state_)), closed_(std::exchange(other.closed_, true)) {}

  MemoryReceiveChannel& operator=(MemoryReceiveChannel&& other) noexcept {
    if (this != &other) {
      close();
      state_ = std::move(other.state_);
      closed_ = std::exchange(other.closed_, true);
    }
    return *this;
  }

  ~MemoryReceiveChannel() { close(); }

  // The next value, waiting for one; a checkpoint always. Cancelled: nothing was taken. Throws
  // EndOfChannel when all senders are closed and the buffer is empty, ClosedResourceError if this
  // end is closed (also meanwhile), MisuseError outside a task or if someone reschedules the task
  // by hand.
  T receive() {
    if (auto value = next()) return std::move(*value);
    throw EndOfChannel();
  }

  // The same, with an empty answer at the end of the channel.
  std::optional<T> next() {
    lowlevel::checkpoint_if_cancelled();
    auto& state = open_state();
    auto value = state.try_receive();
    if (!value && !state.at_end()) return state.wait_to_receive(this);
    lowlevel::cancel_shielded_checkpoint();
    return value;
  }

  // The next value at once, or throws WouldBlock; else as receive(). Not a checkpoint.
  T receive_nowait() {
    auto& state = open_state();
    if (auto value = state.try_receive()) return std::move(*value);
    if (state.at_end()) throw EndOfChannel();
    throw WouldBlock();
  }

  // Another receiving end. Throws ClosedResourceError if this one is closed.
  MemoryReceiveChannel clone() const {
    open_state();
    return MemoryReceiveChannel(state_);
  }

  // Idempotent; not a checkpoint. Tasks that wait in receive() here get ClosedResourceError; when
  // the last receiving end closes, senders get BrokenResourceError and what is buffered is dropped.
  void close() {
    if (std::exchange(closed_, true)) return;
    // What is dropped from the buffer may own this end.
    auto const state = state_;
    state->close_receiver(this);
  }

  // Of the channel, though this end be closed; of none if it was moved from. Counts the tasks that
  // wait. Not a checkpoint.
  MemoryChannelStatistics statistics() const {
    return state_ ? state_->statistics() : MemoryChannelStatistics();
  }

  struct Sentinel {};

  class Iterator {
   public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    explicit Iterator(MemoryReceiveChannel& channel) : channel_(&channel), value_(channel.next()) {}

    T& operator*() const noexcept { return *value_; }

    // Destroys the present value before it waits for the next.
    Iterator& operator++() {
      value_.reset();
      value_ = channel_->next();
      return *this;
    }

    void operator++(int) { ++*this; }

    bool operator==(Sentinel) const noexcept { return !value_; }

   private:
    MemoryReceiveChannel* channel_;
    mutable std::optional<T> value_;
  };

  // Receives the first value: a checkpoint, as is each step of the iterator.
  Iterator begin() { return Iterator(*this); }

  Sentinel end() const noexcept { return {}; }

 private:
  friend struct MemoryChannelPair<T>;
  template <class U> friend MemoryChannelPair<U> open_memory_channel(std::size_t);

  explicit MemoryReceiveChannel(std::shared_ptr<detail::ChannelState<T>> state)
      : state_(std::move(state)) {
    ++state_->open_receivers;
  }

  // Not to be used after a wait, during which this end may be closed and destroyed.
  detail::ChannelState<T>& open_state() const {
    if (closed_) throw ClosedResourceError("trio: this receive channel is closed");
    return *state_;
  }

  // Null when moved from.
  std::shared_ptr<detail::ChannelState<T>> state_;
  bool closed_ = false;
};

template <class T> struct MemoryChannelPair {
  MemorySendChannel<T> sender;
  MemoryReceiveChannel<T> receiver;
};

// A channel between tasks of this run that buffers up to `capacity` values: 0 makes send() wait for
// a receiver, `unbounded` never lets it wait. T need only be movable. Mirrors
// trio.open_memory_channel.
//
//   auto [sender, receiver] = trio::open_memory_channel<int>(16);
template <class T> MemoryChannelPair<T> open_memory_channel(std::size_t capacity) {
  auto state = std::make_shared<detail::ChannelState<T>>(capacity);
  return {MemorySendChannel<T>(state), MemoryReceiveChannel<T>(state)};
}

}  // namespace trio
