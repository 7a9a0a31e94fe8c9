// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/cancel_scope.hpp>
#include <trio/detail/is_parked.hpp>
#include <trio/detail/list.hpp>
#include <trio/errors.hpp>
#include <trio/lowlevel.hpp>
#include <trio/memory_channel.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace trio {

// A broadcast receiver was too slow: `missed` values are lost to it. Receiving goes on with the
// oldest that is left.
struct Lagged : std::runtime_error {
  explicit Lagged(std::uint64_t count)
      : std::runtime_error("trio: this broadcast receiver was too slow and has missed " +
                           std::to_string(count) + " values"),
        missed(count) {}

  std::uint64_t missed;

 protected:
  Lagged(std::uint64_t count, std::string const& what) : std::runtime_error(what), missed(count) {}
};

// What a broadcast receiver does when it has missed values.
enum class OnLag { raise, skip };

// Of a broadcast as a whole, but for `lag`.
struct BroadcastStatistics {
  std::size_t open_receivers = 0;
  std::size_t tasks_waiting = 0;
  std::size_t current_buffer_used = 0;
  std::size_t max_buffer_size = 0;
  // How many values have come that the receiver asked has not received.
  std::uint64_t lag = 0;
};

namespace detail {

template <class Source> using ValueOf =
    typename decltype(std::declval<Source&>().next())::value_type;

struct BroadcastWaiterTag;

// A task that waits for what another receives from the source. Lives on that task's stack.
struct BroadcastWaiter : Hook<BroadcastWaiterTag> {
  explicit BroadcastWaiter(Task& waiting) : task(waiting) {}

  Task& task;
};

// A source and what the last values from it were, shared by all receivers.
template <class Source> struct BroadcastState {
  using T = ValueOf<Source>;

  BroadcastState(Source from, std::size_t size) : source(std::move(from)), capacity(size) {}

  std::uint64_t oldest() const noexcept { return received - buffer.size(); }

  void add(T value) {
    if (buffer.size() == capacity) buffer.pop_front();
    buffer.push_back(std::move(value));
    ++received;
    wake_all();
  }

  void end() {
    ended = true;
    wake_all();
  }

  // Whoever waits longest; false if nobody does.
  bool wake_one() {
    BroadcastWaiter* const waiter = first_parked(waiting);
    if (!waiter) return false;
    lowlevel::detail_wake::check(waiter->task);
    waiter->unlink();
    lowlevel::detail_wake::wake(waiter->task);
    return true;
  }

  void wake_all() {
    while (wake_one()) {}
  }

  Source source;
  std::size_t const capacity;
  std::deque<T> buffer;
  // How many values have come so far.
  std::uint64_t received = 0;
  std::size_t open_receivers = 0;
  bool ended = false;
  // A receiver waits in source.next(), for all.
  bool driven = false;
  // Those that are waiting for it.
  List<BroadcastWaiter, BroadcastWaiterTag> waiting;
};

// One receiver's part. Held by a task that waits in it, too: the receiver may go meanwhile.
template <class Source> class Subscription {
 public:
  using T = ValueOf<Source>;
  using State = BroadcastState<Source>;

  Subscription(std::shared_ptr<State> shared, OnLag on_lag)
      : state(std::move(shared)), on_lag_(on_lag), position_(state->received) {
    ++state->open_receivers;
  }

  void check_open() const {
    if (closed_) throw ClosedResourceError("trio: this broadcast receiver is closed");
  }

  void close() {
    if (std::exchange(closed_, true)) return;
    if (scope_) scope_->cancel("the broadcast receiver was closed");
    if (waiter_ && waiter_->is_linked() && is_parked(waiter_->task)) {
      waiter_->unlink();
      lowlevel::reschedule(waiter_->task, std::make_exception_ptr(closed_meanwhile()));
    }
    if (--state->open_receivers > 0) return;
    if constexpr (requires { state->source.close(); }) state->source.close();
  }

  // What has come already.
  std::optional<T> take() {
    if (position_ == state->received) return std::nullopt;
    auto const oldest = state->oldest();
    if (position_ < oldest) {
      auto const missed = oldest - std::exchange(position_, oldest);
      if (on_lag_ == OnLag::raise) throw Lagged(missed);
    }
    std::optional<T> value(state->buffer[static_cast<std::size_t>(position_ - oldest)]);
    ++position_;
    return value;
  }

  // What comes next; empty at the end.
  std::optional<T> wait() {
    if (scope_ || waiter_)
      throw BusyResourceError("trio: another task receives from this broadcast receiver");
    while (position_ == state->received && !state->ended) {
      if (state->driven)
        wait_for_driver();
      else
        drive();
    }
    return take();
  }

  // How many values it has not received yet.
  std::uint64_t lag() const noexcept { return state->received - position_; }

  std::shared_ptr<State> const state;

 private:
  // Stands in one of our fields while a task waits.
  template <class T> class Standing {
   public:
    Standing(T*& place, T& thing) : place_(place) { place_ = &thing; }

    Standing(Standing const&) = delete;
    Standing& operator=(Standing const&) = delete;

    ~Standing() { place_ = nullptr; }

   private:
    T*& place_;
  };

  static ClosedResourceError closed_meanwhile() {
    return ClosedResourceError("trio: the broadcast receiver was closed while a task received");
  }

  void wait_for_driver() {
    BroadcastWaiter waiter(lowlevel::current_task());
    Standing<BroadcastWaiter> const standing(waiter_, waiter);
    state->waiting.push_back(waiter);
    lowlevel::wait_task_rescheduled([&waiter](lowlevel::RaiseCancel const&) {
      waiter.unlink();
      return lowlevel::Abort::succeeded;
    });
    if (waiter.is_linked())
      throw MisuseError("trio: a task waiting at a broadcast was rescheduled by hand");
  }

  // Waits at the source for all.
  void drive() {
    struct Driving {
      State& state;

      explicit Driving(State& driven) : state(driven) { state.driven = true; }

      ~Driving() {
        state.driven = false;
        // Whoever waits longest takes the place.
        state.wake_one();
      }
    } const driving(*state);

    // Since it was woken to take the place.
    if (closed_) throw closed_meanwhile();
    CancelScope scope;
    Standing<CancelScope> const standing(scope_, scope);
    static_cast<void>(scope.enter([&] {
      if (auto value = state->source.next())
        state->add(std::move(*value));
      else
        state->end();
    }));
    if (scope.cancelled_caught()) throw closed_meanwhile();
  }

  OnLag const on_lag_;
  // How many values came before the next that it receives.
  std::uint64_t position_;
  bool closed_ = false;
  // While a task waits at the source, the scope around that; while one waits for another, itself.
  CancelScope* scope_ = nullptr;
  BroadcastWaiter* waiter_ = nullptr;
};

}  // namespace detail

// One of several receivers that each get every value of one source. A memory channel hands each
// value to one receiver; this hands it to all:
//
//   auto [sender, receiver] = trio::open_memory_channel<Price>(0);
//   auto prices = trio::broadcast(std::move(receiver), 100);
//   auto more = prices.subscribe();
//
// There is no task behind it: whichever receiver has read all that has come waits at the source,
// for the others too; so the fastest sets the pace, and the sender feels no slower one. If that
// receiver is cancelled or closed, the next takes its place. The last values are kept; a receiver
// that falls behind further than that gets Lagged, once, and goes on with the oldest that is left.
//
// A source has next(), which waits for a value and returns it in an optional that is empty at the
// end: a memory channel's receiver, for one. Values are copied to each receiver. Closes when
// destroyed; the last one closes the source. Use a receiver in one task at a time. For one run's
// thread only. tractor's broadcast_receiver.
template <class Source> class BroadcastReceiver {
 public:
  using T = detail::ValueOf<Source>;

  static_assert(std::copy_constructible<T>,
                "trio: a broadcast copies each value to each receiver: send a std::shared_ptr to "
                "what cannot be copied");

  BroadcastReceiver(BroadcastReceiver&&) noexcept = default;

  BroadcastReceiver& operator=(BroadcastReceiver&& other) noexcept {
    if (this != &other) {
      close();
      subscription_ = std::move(other.subscription_);
    }
    return *this;
  }

  ~BroadcastReceiver() { close(); }

  // The next value, waiting for one; a checkpoint always. Cancelled: nothing was received. Throws
  // Lagged if values were missed; EndOfChannel when the source has ended and all that is left was
  // received; ClosedResourceError if this receiver is closed (also meanwhile); BusyResourceError if
  // another task receives from it; MisuseError outside a task; and what the source throws, to the
  // one that waits there: the others try for themselves.
  T receive() {
    if (auto value = next()) return std::move(*value);
    throw EndOfChannel();
  }

  // The same, with an empty answer at the end.
  std::optional<T> next() {
    check_open();
    lowlevel::checkpoint_if_cancelled();
    if (subscription_->lag() == 0 && !subscription_->state->ended) {
      auto const held = subscription_;
      return held->wait();
    }
    auto value = subscription_->take();
    lowlevel::cancel_shielded_checkpoint();
    return value;
  }

  // The next value at once, or throws WouldBlock; else as receive(). Not a checkpoint. For sources
  // that have receive_nowait().
  T receive_nowait()
    requires requires(Source& source) {
      { source.receive_nowait() } -> std::convertible_to<T>;
    }
  {
    check_open();
    if (auto value = subscription_->take()) return std::move(*value);
    auto& state = *subscription_->state;
    if (state.ended) throw EndOfChannel();
    if (state.driven) throw WouldBlock();
    try {
      state.add(state.source.receive_nowait());
    } catch (EndOfChannel const&) {
      state.end();
      throw;
    }
    return std::move(*subscription_->take());
  }

  // Another receiver, of the values that come from now on. Throws ClosedResourceError if this one
  // is closed. Not a checkpoint.
  BroadcastReceiver subscribe(OnLag on_lag = OnLag::raise) const {
    check_open();
    return BroadcastReceiver(subscription_->state, on_lag);
  }

  // Idempotent; not a checkpoint. A task that receives here gets ClosedResourceError; if it was
  // waiting at the source for all, another goes there. The last receiver closes the source.
  void close() {
    if (subscription_) subscription_->close();
  }

  // Of the broadcast, though this receiver be closed; of none if it was moved from. Counts the
  // tasks that wait. Not a checkpoint.
  BroadcastStatistics statistics() const {
    if (!subscription_) return {};
    auto const& state = *subscription_->state;
    return {state.open_receivers, state.waiting.size() + (state.driven ? 1 : 0),
            state.buffer.size(), state.capacity, subscription_->lag()};
  }

  struct Sentinel {};

  class Iterator {
   public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    explicit Iterator(BroadcastReceiver& receiver)
        : receiver_(&receiver), value_(receiver.next()) {}

    T& operator*() const noexcept { return *value_; }

    Iterator& operator++() {
      value_.reset();
      value_ = receiver_->next();
      return *this;
    }

    void operator++(int) { ++*this; }

    bool operator==(Sentinel) const noexcept { return !value_; }

   private:
    BroadcastReceiver* receiver_;
    mutable std::optional<T> value_;
  };

  // Receives the first value: a checkpoint, as is each step of the iterator.
  Iterator begin() { return Iterator(*this); }

  Sentinel end() const noexcept { return {}; }

 private:
  template <class S>
  friend BroadcastReceiver<S> broadcast(S source, std::size_t capacity, OnLag on_lag);

  using Subscription = detail::Subscription<Source>;

  BroadcastReceiver(std::shared_ptr<detail::BroadcastState<Source>> state, OnLag on_lag)
      : subscription_(std::make_shared<Subscription>(std::move(state), on_lag)) {}

  void check_open() const {
    if (!subscription_) throw ClosedResourceError("trio: this broadcast receiver is closed");
    subscription_->check_open();
  }

  // Null when moved from.
  std::shared_ptr<Subscription> subscription_;
};

// The first receiver of a broadcast of what comes from `source`, that keeps the last `capacity`
// values for those who are slower than the fastest. Throws std::invalid_argument if the capacity
// is 0. Not a checkpoint.
template <class Source> BroadcastReceiver<Source> broadcast(Source source, std::size_t capacity,
                                                            OnLag on_lag = OnLag::raise) {
  if (capacity == 0)
    throw std::invalid_argument("trio: a broadcast needs room for a value at least");
  return BroadcastReceiver<Source>(
      std::make_shared<detail::BroadcastState<Source>>(std::move(source), capacity), on_lag);
}

}  // namespace trio
