// SPDX-License-Identifier: BSL-1.0
#include "publisher_core.hpp"

#include "local_actor.hpp"
#include "unique_id.hpp"

#include <tractor/archive.hpp>
#include <tractor/log.hpp>
#include <tractor/wire_errors.hpp>
#include <trio/errors.hpp>
#include <trio/lowlevel.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <limits>
#include <stdexcept>
#include <utility>

namespace tractor::runtime {

namespace {

// How long what was published may still leave when the actor ends.
constexpr std::chrono::seconds linger(1);

// What ZeroMQ's option takes.
constexpr std::size_t longest_queue = std::numeric_limits<int>::max();

// No subscriber tells such an id as its own.
constexpr std::size_t longest_id = 64;

// Waits until `done`, woken by `lot`; a checkpoint always.
template <class Done> void wait_until(trio::lowlevel::ParkingLot& lot, Done done) {
  trio::lowlevel::checkpoint_if_cancelled();
  bool has_waited = false;
  while (!done()) {
    lot.park();
    has_waited = true;
  }
  if (!has_waited) trio::lowlevel::cancel_shielded_checkpoint();
}

}  // namespace

bool PublisherCore::Known::wants(std::string_view subject) const noexcept {
  return ask.all || std::binary_search(ask.subjects.begin(), ask.subjects.end(), subject);
}

// One item may exceed the bytes, or a large one would never be sent.
bool PublisherCore::Known::has_room() const noexcept {
  return sent.items - read.items < ask.window && sent.bytes - read.bytes < ask.window_bytes;
}

std::shared_ptr<PublisherCore> PublisherCore::open(std::string name, std::string schema,
                                                   PublisherOptions const& options) {
  if (options.queue < wire::shortest_queue)
    throw std::invalid_argument("tractor: the queue of publisher '" + name +
                                "' must have room for " + std::to_string(wire::shortest_queue) +
                                " messages at least");
  if (options.queue > longest_queue)
    throw std::invalid_argument("tractor: the queue of publisher '" + name +
                                "' can have room for " + std::to_string(longest_queue) +
                                " messages at most");
  return std::make_shared<PublisherCore>(LocalActor::current(), std::move(name), std::move(schema),
                                         options);
}

PublisherCore::PublisherCore(LocalActor& actor, std::string name, std::string schema,
                             PublisherOptions const& options)
    : actor_(actor),
      queue_(options.queue),
      handle_{std::move(name), actor.id(), {}, make_unique_id(), std::move(schema)},
      outlet_(actor.fan_out().open_outlet(make_unique_id(), handle_.word, queue_, *this)) {
  handle_.endpoint = outlet_->endpoint();
}

void PublisherCore::check_subject(std::string_view subject) const {
  if (subject.find('\0') != subject.npos)
    throw std::invalid_argument("tractor: a subject of topic '" + handle_.name +
                                "' cannot have a zero byte in it");
}

void PublisherCore::check_open() const {
  if (ending_ != wire::Ending::none)
    throw trio::ClosedResourceError("tractor: the publisher of topic '" + handle_.name +
                                    "' is closed");
  if (cancelled_)
    throw TransportClosed("tractor: topic '" + handle_.name + "' is over: its actor has ended");
}

bool PublisherCore::has_room(std::string_view subject) const noexcept {
  return lossless_ == 0 ||
         std::all_of(subscribers_.begin(), subscribers_.end(), [&](auto const& each) {
           Known const& known = each.second;
           return !known.linked || known.has_room() || !known.wants(subject);
         });
}

void PublisherCore::wait_for_room(std::string_view subject) {
  check_subject(subject);
  check_open();
  trio::lowlevel::checkpoint_if_cancelled();
  if (has_room(subject)) trio::lowlevel::cancel_shielded_checkpoint();
  for (;;) {
    check_open();
    if (has_room(subject)) return;
    room_.park();
  }
}

void PublisherCore::require_room(std::string_view subject) {
  check_subject(subject);
  check_open();
  if (!has_room(subject)) throw trio::WouldBlock();
}

bool PublisherCore::is_wanted(std::string_view subject) const noexcept {
  return ending_ == wire::Ending::none && (want_all_ != 0 || subjects_.contains(subject));
}

void PublisherCore::send(std::string_view subject, Buffer item) {
  auto const found = subjects_.find(subject);
  ipc::Stamp const stamp{found == subjects_.end() ? 0 : found->second.published++, published_++};
  if (lossless_ != 0) {
    std::size_t const size = item.size();
    Bytes const shared(std::move(item));
    auto const header = tractor::encode(
        wire::OnLink(wire::Item{std::string(subject), stamp.of_topic, stamp.of_all}));
    for (auto& [id, known] : subscribers_) {
      if (!known.linked || !known.wants(subject)) continue;
      ++known.sent.items;
      known.sent.bytes += size;
      try {
        known.link->send(ipc::Lane::data,
                         {detail::share(Bytes::copy_of(header.bytes())), detail::share(shared)});
      } catch (TransportClosed const&) {
        // Whoever reads the link will forget it.
      }
    }
    if (lossless_ == subscribers_.size()) return;
    item = detail::share(shared);
  }
  outlet_->send(wire::make_topic(wire::subject_topic, subject), stamp, std::move(item));
}

std::size_t PublisherCore::count_there() const noexcept {
  return static_cast<std::size_t>(std::count_if(subscribers_.begin(), subscribers_.end(),
                                                [](auto& each) { return each.second.is_there(); }));
}

std::vector<Subscriber> PublisherCore::subscribers() const {
  std::vector<Known const*> there;
  for (auto const& [id, known] : subscribers_)
    if (known.is_there()) there.push_back(&known);
  std::sort(there.begin(), there.end(), [](auto* a, auto* b) { return a->place < b->place; });
  std::vector<Subscriber> told;
  for (Known const* known : there)
    told.push_back({known->ask.actor, known->ask.subjects, known->ask.all, known->is_lossless()});
  return told;
}

std::map<std::string, std::size_t> PublisherCore::subjects() const {
  std::map<std::string, std::size_t> wanted;
  for (auto const& [name, subject] : subjects_) wanted.emplace(name, subject.subscribers);
  return wanted;
}

void PublisherCore::wait_for_subscribers(std::size_t count) {
  check_open();
  wait_until(changed_, [&] {
    check_open();
    return count_there() >= count;
  });
}

void PublisherCore::wait_until_unwanted() {
  check_open();
  wait_until(changed_, [&] {
    check_open();
    return subscribers_.empty();
  });
}

void PublisherCore::wake_all() {
  room_.unpark_all();
  changed_.unpark_all();
}

void PublisherCore::on_said(std::span<std::byte const> text) {
  try {
    on_ask(decode<wire::Ask>(text));
  } catch (std::exception const& error) {
    log(LogLevel::warning, "topic '" + handle_.name +
                               "' ignored what somebody said who has its handle: " + error.what());
  }
}

void PublisherCore::on_heard(std::string_view topic) {
  if (auto const id = wire::name_in(topic, wire::subscriber_topic)) listening_.emplace(*id);
}

void PublisherCore::on_unheard(std::string_view topic) {
  auto const name = wire::name_in(topic, wire::subscriber_topic);
  if (!name) return;
  std::string const id(*name);
  listening_.erase(id);
  forget(id);
}

void PublisherCore::on_cancelled() {
  cancelled_ = true;
  wake_all();
}

void PublisherCore::count(wire::Ask const& ask, bool wanted) {
  if (ask.all) want_all_ += wanted ? 1 : std::size_t(-1);
  for (std::string const& name : ask.subjects) {
    if (wanted) {
      ++subjects_[name].subscribers;
    } else if (auto const found = subjects_.find(name); --found->second.subscribers == 0) {
      // Nobody knows how far it is: it may begin again.
      subjects_.erase(found);
    }
  }
}

void PublisherCore::on_ask(wire::Ask ask) {
  if (ask.subscriber.empty() || ask.subscriber.size() > longest_id ||
      ask.subscriber.find('\0') != std::string::npos)
    throw DecodeError("tractor: an id that is none");
  if (!listening_.contains(ask.subscriber))
    throw DecodeError("tractor: an Ask of " + ask.subscriber + ", which listens to no answer");
  std::sort(ask.subjects.begin(), ask.subjects.end());
  ask.subjects.erase(std::unique(ask.subjects.begin(), ask.subjects.end()), ask.subjects.end());
  auto const [at, is_new] = subscribers_.try_emplace(ask.subscriber);
  Known& known = at->second;
  // First what it wants now: where that is what it wanted, the numbers go on.
  count(ask, true);
  if (is_new) {
    known.place = ++last_place_;
    if (ask.window != 0) ++lossless_;
  } else {
    count(known.ask, false);
    // What it was at first, it stays.
    ask.window = known.ask.window;
    ask.window_bytes = known.ask.window_bytes;
  }
  known.ask = std::move(ask);
  answer(known);
  wake_all();
}

wire::State PublisherCore::state_for(wire::Ask const& ask) const {
  wire::State state;
  state.number = ask.number;
  state.all = published_;
  state.queue = queue_;
  state.ending = ending_;
  for (std::string const& name : ask.subjects)
    state.subjects.emplace_back(name, subjects_.find(name)->second.published);
  return state;
}

void PublisherCore::answer(Known& known) {
  auto state = state_for(known.ask);
  if (known.linked) {
    try {
      known.link->send(ipc::Lane::data, {tractor::encode(wire::OnLink(std::move(state))), {}});
    } catch (TransportClosed const&) {
      // Whoever reads the link will forget it.
    }
    return;
  }
  if (known.is_lossless() && ending_ == wire::Ending::none) {
    // It was told where to connect to, and gets the rest there.
    if (known.link) return;
    try {
      expect_link(known, state);
    } catch (std::exception const& error) {
      log(LogLevel::error,
          "topic '" + handle_.name + "' cannot serve a subscriber with a link: " + error.what());
      state.ending = wire::Ending::aborted;
    }
  }
  outlet_->send(wire::make_topic(wire::subscriber_topic, known.ask.subscriber), {},
                tractor::encode(state));
}

void PublisherCore::expect_link(Known& known, wire::State& state) {
  if (!listener_) listener_ = actor_.transport().listen(make_unique_id());
  auto const identity = make_unique_id();
  std::shared_ptr<ipc::Link> link = listener_->expect(identity);
  actor_.service_nursery().start_soon({.name = "subscriber to " + handle_.name},
                                      [self = shared_from_this(), id = known.ask.subscriber, link] {
                                        self->serve_link(id, *link);
                                      });
  known.link = std::move(link);
  state.endpoint = listener_->endpoint();
  state.identity = identity;
}

void PublisherCore::serve_link(std::string const& id, ipc::Link& link) {
  try {
    link.wait_connected();
    auto const found = subscribers_.find(id);
    if (found == subscribers_.end() || found->second.link.get() != &link) return;
    found->second.linked = true;
    answer(found->second);
    wake_all();
    for (;;) {
      auto const frame = link.receive();
      auto const credit = decode<wire::Taken>(frame.header.bytes());
      auto const known = subscribers_.find(id);
      if (known == subscribers_.end()) return;
      auto const& sent = known->second.sent;
      if (credit.items > sent.items || credit.bytes > sent.bytes)
        throw DecodeError("tractor: it says that it has read more than was sent");
      known->second.read = credit;
      room_.unpark_all();
    }
  } catch (TransportClosed const&) {
    // It has left, or died.
  } catch (DecodeError const& error) {
    log(LogLevel::warning,
        "topic '" + handle_.name + "' drops a subscriber that is none: " + error.what());
  }
  forget(id);
}

void PublisherCore::forget(std::string const& id) {
  auto const gone = subscribers_.extract(id);
  if (gone.empty()) return;
  Known& known = gone.mapped();
  count(known.ask, false);
  if (known.is_lossless()) --lossless_;
  if (known.link) known.link->close(std::chrono::seconds(0));
  wake_all();
}

void PublisherCore::close(wire::Ending ending) noexcept {
  if (ending_ != wire::Ending::none) return;
  ending_ = ending;
  wake_all();
  if (cancelled_ || subscribers_.empty()) return finish();
  try {
    for (auto& [id, known] : subscribers_) answer(known);
    actor_.start_farewell("farewell of topic " + handle_.name, [self = shared_from_this()] {
      struct Finish {
        PublisherCore& core;

        ~Finish() { core.finish(); }
      } const finish{*self};
      while (!self->subscribers_.empty() && !self->cancelled_) self->changed_.park();
    });
  } catch (std::exception const& error) {
    log(LogLevel::warning, "topic '" + handle_.name + "' cannot end in order: " + error.what());
    finish();
  }
}

void PublisherCore::finish() noexcept {
  outlet_->close(linger);
  for (auto& [id, known] : subscribers_)
    if (known.link) known.link->close(linger);
  listening_.clear();
  subscribers_.clear();
  lossless_ = 0;
  listener_.reset();
}

}  // namespace tractor::runtime

namespace tractor::detail {

PublisherEnd::PublisherEnd(std::string name, std::string schema, PublisherOptions const& options)
    : core_(runtime::PublisherCore::open(std::move(name), std::move(schema), options)),
      exceptions_(std::uncaught_exceptions()) {}

PublisherEnd& PublisherEnd::operator=(PublisherEnd&& other) noexcept {
  if (this != &other) {
    close();
    core_ = std::move(other.core_);
    exceptions_ = other.exceptions_;
  }
  return *this;
}

std::shared_ptr<runtime::PublisherCore> PublisherEnd::core() const {
  if (!core_) throw trio::ClosedResourceError("tractor: this publisher was moved elsewhere");
  return core_;
}

TopicHandle const& PublisherEnd::handle() const { return core()->handle(); }

void PublisherEnd::wait_for_room(std::string_view subject) const { core()->wait_for_room(subject); }

void PublisherEnd::require_room(std::string_view subject) const { core()->require_room(subject); }

bool PublisherEnd::is_wanted(std::string_view subject) const { return core()->is_wanted(subject); }

void PublisherEnd::send(std::string_view subject, Buffer item) const {
  core()->send(subject, std::move(item));
}

std::vector<Subscriber> PublisherEnd::subscribers() const { return core()->subscribers(); }

std::map<std::string, std::size_t> PublisherEnd::subjects() const { return core()->subjects(); }

void PublisherEnd::wait_for_subscribers(std::size_t count) const {
  core()->wait_for_subscribers(count);
}

void PublisherEnd::wait_until_unwanted() const { core()->wait_until_unwanted(); }

void PublisherEnd::close() noexcept {
  if (core_)
    core_->close(std::uncaught_exceptions() > exceptions_ ? wire::Ending::aborted
                                                          : wire::Ending::closed);
}

}  // namespace tractor::detail
