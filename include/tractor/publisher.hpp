// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/topic.hpp>
#include <trio/errors.hpp>
#include <trio/nursery.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace tractor {

namespace runtime {
class PublisherCore;
}

struct PublisherOptions {
  // How many messages may wait, at this end, for a subscriber whose process does not take them (its
  // scheduler is busy, or stopped), before it loses some; at least 64, at most what an int holds.
  // A thousand more wait at its end.
  std::size_t queue = 1000;
};

// One who has subscribed.
struct Subscriber {
  ActorId actor = {};
  // Which subjects; all of them: none here.
  std::vector<std::string> subjects = {};
  bool all = false;
  // Whether it makes the publisher wait (Overrun::wait).
  bool lossless = false;
};

namespace detail {

// What a publisher does without knowing its type.
class PublisherEnd {
 public:
  PublisherEnd(std::string name, std::string schema, PublisherOptions const& options);
  PublisherEnd(PublisherEnd&&) noexcept = default;
  PublisherEnd& operator=(PublisherEnd&& other) noexcept;

  ~PublisherEnd() { close(); }

  TopicHandle const& handle() const;
  void wait_for_room(std::string_view subject) const;
  void require_room(std::string_view subject) const;
  bool is_wanted(std::string_view subject) const;
  void send(std::string_view subject, Buffer item) const;
  std::vector<Subscriber> subscribers() const;
  std::map<std::string, std::size_t> subjects() const;
  void wait_for_subscribers(std::size_t count) const;
  void wait_until_unwanted() const;
  void close() noexcept;

 private:
  std::shared_ptr<runtime::PublisherCore> core() const;

  // Null when moved from.
  std::shared_ptr<runtime::PublisherCore> core_;
  // How many exceptions were flying when it was made.
  int exceptions_;
};

}  // namespace detail

// Publishes to any number of subscribers, in any actors of the tree:
//
//   tractor::Publisher<Quote> quotes("quotes");
//   nursery.run_in_actor<follow>(quotes.topic());
//   quotes.wait_for_subscribers();
//   quotes.publish("EURUSD", quote);
//
// An item is encoded once, and handed to ZeroMQ once, however many listen; not at all if nobody
// does. Each item has a subject, and subscribers choose subjects. Who subscribes, gets what is
// published from then on. A slow subscriber loses items, and is told how many; it never holds up
// the publisher or another subscriber, and costs bounded memory, unless it has subscribed to lose
// nothing (Overrun::wait): to those, publish() sends by links of their own, and waits for the
// slowest.
//
// It ends when closed or destroyed, after all that was published; while an exception unwinds,
// subscribers get StreamAborted instead. For one run's thread only. Mirrors tractor's msgpub.
template <class T> class Publisher {
 public:
  // `name` is for people. In an actor. Not a checkpoint. Throws std::system_error or
  // TransportClosed if this actor cannot listen; std::invalid_argument for too short a queue;
  // NoRuntime outside of actors, RuntimeFailure when this one is ending.
  explicit Publisher(std::string name, PublisherOptions const& options = {})
      : end_(std::move(name), schema_of<T>(), options) {
    detail::check_can_be_published<T>();
  }

  Publisher(Publisher&&) noexcept = default;
  Publisher& operator=(Publisher&&) noexcept = default;

  // To be sent to those who are to subscribe. Not a checkpoint.
  Topic<T> topic() const { return Topic<T>(end_.handle()); }

  // Publishes, after waiting for subscribers with Overrun::wait to have room; without such, never
  // waits for anybody. A checkpoint always. Cancelled: nothing was published. Throws
  // ClosedResourceError if this was closed (also meanwhile), TransportClosed if the actor has
  // ended, EncodeError; std::invalid_argument for a subject with a zero byte.
  void publish(std::string_view subject, T const& value) {
    end_.wait_for_room(subject);
    put(subject, value);
  }

  // Under the empty subject.
  void publish(T const& value) { publish({}, value); }

  // Publishes at once, or throws WouldBlock and publishes nothing, if a subscriber with
  // Overrun::wait has no room; else as publish(). Not a checkpoint: a task that never comes to one
  // hears of no subscriber.
  void publish_nowait(std::string_view subject, T const& value) {
    end_.require_room(subject);
    put(subject, value);
  }

  // Whether somebody would get it: nobody, once this is closed. Not a checkpoint.
  bool is_wanted(std::string_view subject) const { return end_.is_wanted(subject); }

  // Who has subscribed, in the order of their coming, and to which subjects how many have. Who
  // wants all subjects is not counted there. Not checkpoints.
  std::vector<Subscriber> subscribers() const { return end_.subscribers(); }

  std::map<std::string, std::size_t> subjects() const { return end_.subjects(); }

  // Waits until there are as many subscribers; a checkpoint always. Throws ClosedResourceError if
  // this was closed, also meanwhile.
  void wait_for_subscribers(std::size_t count = 1) { end_.wait_for_subscribers(count); }

  // Waits until there is none; as wait_for_subscribers().
  void wait_until_unwanted() { end_.wait_until_unwanted(); }

  // Waits for the first subscriber, runs `body`, and cancels it when the last subscriber has left;
  // not when this is closed, which the body may do. Throws, in a group, what the body throws, as a
  // nursery does. A checkpoint. Mirrors how msgpub runs its function.
  template <class Body> void while_wanted(Body&& body) {
    constexpr bool callable = std::is_invocable_v<Body&>;
    static_assert(callable, "tractor: the body of while_wanted takes no arguments");
    if constexpr (callable) {
      wait_for_subscribers();
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon({.name = "until nobody listens"}, [&] {
          try {
            wait_until_unwanted();
          } catch (trio::ClosedResourceError const&) {
            return;
          }
          nursery.cancel_scope().cancel("nobody listens any more");
        });
        std::invoke(body);
        nursery.cancel_scope().cancel();
      });
    }
  }

  // Subscribers get what was published, and then the end. The actor stays for them in the
  // background; at its own end, for a second at the most. Idempotent; not a checkpoint.
  void close() noexcept { end_.close(); }

 private:
  void put(std::string_view subject, T const& value) {
    if (end_.is_wanted(subject)) end_.send(subject, detail::encode_item<T>(value));
  }

  detail::PublisherEnd end_;
};

}  // namespace tractor
