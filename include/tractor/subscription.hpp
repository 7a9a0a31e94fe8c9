// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/actor_id.hpp>
#include <tractor/buffer.hpp>
#include <tractor/stream.hpp>
#include <tractor/stream_options.hpp>
#include <trio/broadcast.hpp>
#include <trio/errors.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tractor {

namespace runtime {
class SubscriptionCore;
}

// A subscription was too slow, and `missed` items are lost to it: exactly so many between those
// that were received before and after. Receiving goes on.
struct Lagged final : trio::Lagged {
  Lagged(std::uint64_t count, std::string const& topic, ActorId const& publisher);
};

// How to subscribe.
struct SubscribeOptions {
  // Which subjects, each exactly as it is published; none: all.
  std::vector<std::string> subjects = {};
  // How many items, and how many bytes of them, are kept here until they are received, whichever is
  // reached first; at least one.
  std::size_t window = 1024;
  std::size_t window_bytes = std::size_t(8) << 20;
  // What becomes of those for which that is too small.
  //   drop_oldest, drop_newest: they are lost, and Lagged says how many.
  //   error: the subscription fails with StreamOverrun.
  //   wait: nothing is ever lost; the publisher waits, for all subscribers.
  Overrun overrun = Overrun::drop_oldest;
  // Whether Lagged is thrown, or what is lost is only counted in the statistics.
  trio::OnLag on_lag = trio::OnLag::raise;
};

// Since subscribing.
struct SubscriptionStatistics {
  std::uint64_t received = 0;
  // Those that Lagged has told, or would have.
  std::uint64_t missed = 0;
  // Those that wait here, to be received.
  std::size_t waiting = 0;
};

// What was published. For a loop: `for (auto& [subject, value, number] : subscription)`.
template <class T> struct Publication {
  std::string subject;
  T value;
  // Rises by one from item to item of its subject, as long as somebody wants that; to a
  // subscription to all subjects, from item to item.
  std::uint64_t number;
};

namespace detail {

struct Arrival {
  std::string subject;
  Buffer item;
  std::uint64_t number;
};

// What a subscription does without knowing its type.
class SubscriptionEnd {
 public:
  explicit SubscriptionEnd(std::shared_ptr<runtime::SubscriptionCore> core) noexcept
      : core_(std::move(core)) {}

  SubscriptionEnd(SubscriptionEnd&&) noexcept = default;
  SubscriptionEnd& operator=(SubscriptionEnd&& other) noexcept;

  ~SubscriptionEnd() { close(); }

  std::optional<Arrival> next() const;
  std::optional<Arrival> next_nowait() const;
  void follow(std::vector<std::string> subjects) const;
  SubscriptionStatistics statistics() const noexcept;
  void close() noexcept;

 private:
  std::shared_ptr<runtime::SubscriptionCore> core() const;

  // Null when moved from.
  std::shared_ptr<runtime::SubscriptionCore> core_;
};

}  // namespace detail

// What one subscriber gets of a topic, from Topic::subscribe() on:
//
//   for (auto& [subject, quote, number] : quotes.subscribe({.subjects = {"EURUSD"}})) ...
//
// Items come in the order in which they were published. Nothing is lost in silence: where items are
// missing, receiving throws Lagged, once, with their exact number, and then goes on; that the last
// ones are missing is told too. It ends with the publisher: in order after all that was published,
// by an error if the publisher is gone, within a second also if it was killed. Closes when
// destroyed; the publisher then forgets it. Any number of tasks may receive, each item goes to one
// of them. For one run's thread only. Mirrors what tractor's msgpub yields.
template <class T> class Subscription {
 public:
  // Made by the library.
  explicit Subscription(std::shared_ptr<runtime::SubscriptionCore> core) noexcept
      : end_(std::move(core)) {}

  Subscription(Subscription&&) noexcept = default;
  Subscription& operator=(Subscription&&) noexcept = default;

  // The next item, after waiting for one; a checkpoint always. Cancelled: none was taken. Throws
  // Lagged if items were missed before it; StreamOverrun, after the items that are here, under that
  // policy; EndOfChannel at the end, again each time; StreamAborted if an exception has ended the
  // publisher; TransportClosed if its process or the connection is gone; ClosedResourceError if
  // this was closed (also meanwhile); DecodeError for what is no T.
  Publication<T> receive() {
    if (auto publication = next()) return std::move(*publication);
    throw trio::EndOfChannel();
  }

  // The same, with an empty answer at the end.
  std::optional<Publication<T>> next() { return decoded(end_.next()); }

  // The next item if it is there, or throws WouldBlock; else as receive(). Not a checkpoint.
  Publication<T> receive_nowait() {
    if (auto publication = decoded(end_.next_nowait())) return std::move(*publication);
    throw trio::EndOfChannel();
  }

  // Other subjects from now on, instead of those so far; none: all. A subject that it had by name
  // and still has goes on without a gap; others begin when this returns, as in subscribe(), and so
  // does each in a change from some to all, or back. Items of those that it leaves are not received
  // any more. Returns when the publisher has confirmed it. A checkpoint. Cancelled: it may have
  // changed. Throws as receive() if the subscription is over, std::invalid_argument for a subject
  // with a zero byte.
  void follow(std::vector<std::string> subjects) { end_.follow(std::move(subjects)); }

  // Not a checkpoint.
  SubscriptionStatistics statistics() const noexcept { return end_.statistics(); }

  // What is unread is dropped; tasks that wait here get ClosedResourceError. Idempotent; not a
  // checkpoint.
  void close() noexcept { end_.close(); }

  struct Sentinel {};

  class Iterator {
   public:
    using value_type = Publication<T>;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    explicit Iterator(Subscription& subscription)
        : subscription_(&subscription), item_(subscription.next()) {}

    Publication<T>& operator*() const noexcept { return *item_; }

    // Destroys the present item before it waits for the next.
    Iterator& operator++() {
      item_.reset();
      item_ = subscription_->next();
      return *this;
    }

    void operator++(int) { ++*this; }

    bool operator==(Sentinel) const noexcept { return !item_; }

   private:
    Subscription* subscription_;
    mutable std::optional<Publication<T>> item_;
  };

  // Receives the first item: a checkpoint, as is each step of the iterator. A Lagged ends the loop;
  // begin() again goes on behind it.
  Iterator begin() { return Iterator(*this); }

  Sentinel end() const noexcept { return {}; }

 private:
  static std::optional<Publication<T>> decoded(std::optional<detail::Arrival> arrival) {
    if (!arrival) return std::nullopt;
    return Publication<T>{std::move(arrival->subject),
                          detail::decode_item<T>(std::move(arrival->item)), arrival->number};
  }

  detail::SubscriptionEnd end_;
};

}  // namespace tractor
