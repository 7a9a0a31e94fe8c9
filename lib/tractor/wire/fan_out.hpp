// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/actor_id.hpp>
#include <tractor/buffer.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

// What a publisher and its subscribers say to each other.
//
//   subscriber                                 publisher
//     hears its own topic and its subjects
//     Ask 1 ────────────────────────────────▶  knows it from now on
//     ◀───────────── State 1, on its own topic: how far each subject is
//     ◀──────────────────────────────── items, each with its numbers
//     ...
//     Ask 2, as it has read much ───────────▶
//     ◀─────────────────────── State 2: so the last ones were lost, or not
//     ...
//     ◀─────────────── State with an ending: how far each subject came
//     leaves
//
// An item has two numbers: how many of its subject there were before it, and how many at all. A
// subscriber to some subjects counts by the former, one to all of them by the latter. What it gets
// is in order, if it comes: a number higher than expected says how many were lost before it, and
// so does a State. A State may be lost as well: then there was so much before it that the
// subscriber asks again when it has read that (see SubscriptionCore).
//
// A subscriber that is to lose nothing hears its own topic only. The State says where a link of its
// own is expected. On that link's data lane come a State and then items and States, in order; on
// the control lane it says how much was read (Taken), and no more is sent than it has room for.
namespace tractor::wire {

// The topics that an intake chooses: a subject, or what is said to one subscriber. All of either
// kind begin with one letter.
inline constexpr char subject_topic = 's';
inline constexpr char subscriber_topic = 'p';

inline std::string make_topic(char kind, std::string_view name) {
  return std::string(1, kind).append(name);
}

// What stands behind the letter; empty if the topic is of another kind.
inline std::optional<std::string_view> name_in(std::string_view topic, char kind) {
  if (!topic.starts_with(kind)) return {};
  return topic.substr(1);
}

// How many messages a publisher keeps for a slow subscriber, at the least. A subscriber that has
// not read a quarter of that since it asked cannot have lost anything since: libzmq takes a queue
// for full when half of it is, at the earliest.
inline constexpr std::uint64_t shortest_queue = 64;

// From a subscriber: who it is and what it wants from now on. Idempotent.
struct Ask {
  // Unique; its own topic.
  std::string subscriber = {};
  std::uint64_t number = 0;
  ActorId actor = {};
  // Every subject.
  bool all = false;
  std::vector<std::string> subjects = {};
  // To lose nothing: what it has room for, items and bytes. Zero: to lose what it is too slow for.
  std::uint64_t window = 0;
  std::uint64_t window_bytes = 0;

  template <class Archive> void serialize(Archive& archive) {
    archive(subscriber, number, actor, all, subjects, window, window_bytes);
  }
};

enum class Ending : unsigned char {
  none,
  closed,
  // An exception has ended the publisher.
  aborted,
};

// The answer: how many items there have been.
struct State {
  // Of the latest Ask of this subscriber.
  std::uint64_t number = 0;
  std::uint64_t all = 0;
  std::vector<std::pair<std::string, std::uint64_t>> subjects = {};
  // How many messages wait for a subscriber at the most.
  std::uint64_t queue = 0;
  Ending ending = Ending::none;
  // Where to connect to, as whom: for one that is to lose nothing.
  std::string endpoint = {};
  std::string identity = {};

  template <class Archive> void serialize(Archive& archive) {
    archive(number, all, subjects, queue, ending, endpoint, identity);
  }
};

// An item on a link, whose payload it is.
struct Item {
  std::string subject = {};
  std::uint64_t of_subject = 0;
  std::uint64_t of_all = 0;

  template <class Archive> void serialize(Archive& archive) {
    archive(subject, of_subject, of_all);
  }
};

// How much was read of a link so far.
struct Taken {
  std::uint64_t items = 0;
  std::uint64_t bytes = 0;

  template <class Archive> void serialize(Archive& archive) { archive(items, bytes); }
};

// What comes on the data lane of such a link, as a frame's header.
using OnLink = std::variant<State, Item>;

}  // namespace tractor::wire
