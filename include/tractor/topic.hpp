// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/actor_id.hpp>
#include <tractor/schema.hpp>
#include <tractor/serialisable.hpp>
#include <tractor/subscription.hpp>

#include <memory>
#include <string>
#include <utility>

namespace tractor {
namespace detail {

// All that a subscriber must know.
struct TopicHandle {
  std::string name = {};
  ActorId publisher = {};
  std::string endpoint = {};
  // Who knows it may subscribe.
  std::string word = {};
  // The type of the items, in the publisher's build.
  std::string schema = {};

  template <class Archive> void serialize(Archive& archive) {
    archive(name, publisher, endpoint, word, schema);
  }
};

// A checkpoint.
std::shared_ptr<runtime::SubscriptionCore> subscribe(TopicHandle const& handle,
                                                     std::string const& schema,
                                                     SubscribeOptions options);

template <class T> constexpr void check_can_be_published() {
  constexpr Obstacle why = obstacle<T>();
  if constexpr (why != Obstacle::none) (void)sizeof(travels<T, why>);
}

}  // namespace detail

// What a Publisher<T> publishes, as a handle that travels: as an argument, a result, or an item of
// a stream, to any actor of the tree, which then may subscribe. Copies are handles to the same, and
// may outlive the publisher.
//
//   void follow(tractor::Topic<Quote> quotes) {
//     for (auto& [subject, quote, number] : quotes.subscribe()) ...
//   }
template <class T> class Topic {
 public:
  // Of no publisher; to be assigned to.
  Topic() = default;

  // Made by the library.
  explicit Topic(detail::TopicHandle handle) : handle_(std::move(handle)) {}

  // Its name, for people.
  std::string const& name() const noexcept { return handle_.name; }

  // The actor that publishes.
  ActorId const& publisher() const noexcept { return handle_.publisher; }

  // Subscribes, and waits until the publisher has confirmed it: everything that is published from
  // then on is received, or counted. A checkpoint. Throws TransportClosed if the publisher is
  // closed or gone, StreamAborted if an exception is ending it; MisuseError for a handle of no
  // publisher; SignatureMismatch if the publisher's program has another T; std::invalid_argument
  // for a window of nothing, or a subject with a zero byte; NoRuntime outside of actors.
  Subscription<T> subscribe(SubscribeOptions options = {}) const {
    return Subscription<T>(detail::subscribe(handle_, schema_of<T>(), std::move(options)));
  }

  // The same topic of the same publisher.
  friend bool operator==(Topic const& a, Topic const& b) noexcept {
    return a.handle_.endpoint == b.handle_.endpoint && a.handle_.word == b.handle_.word;
  }

  template <class Archive> void serialize(Archive& archive) { archive(handle_); }

 private:
  detail::TopicHandle handle_;
};

}  // namespace tractor
