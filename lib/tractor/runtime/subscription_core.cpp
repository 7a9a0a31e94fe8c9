// SPDX-License-Identifier: BSL-1.0
#include "subscription_core.hpp"

#include "local_actor.hpp"
#include "unique_id.hpp"

#include <tractor/archive.hpp>
#include <tractor/errors.hpp>
#include <tractor/wire_errors.hpp>
#include <trio/errors.hpp>
#include <trio/lowlevel.hpp>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

namespace tractor {

Lagged::Lagged(std::uint64_t count, std::string const& topic, ActorId const& publisher)
    : trio::Lagged(count, "tractor: a subscription to topic '" + topic + "' of " +
                              describe(publisher) + " was too slow and has missed " +
                              std::to_string(count) + " items") {}

namespace runtime {

std::shared_ptr<SubscriptionCore> SubscriptionCore::open(detail::TopicHandle const& handle,
                                                         SubscribeOptions options) {
  LocalActor& actor = LocalActor::current();
  if (handle.endpoint.empty())
    throw trio::MisuseError("tractor: this handle is of no topic; get one by Publisher::topic()");
  if (options.window == 0 || options.window_bytes == 0)
    throw std::invalid_argument("tractor: a subscription needs room for an item at least");
  auto const core = std::make_shared<SubscriptionCore>(actor, handle, std::move(options));
  try {
    core->await_answer();
  } catch (...) {
    // Its own tasks would keep it.
    core->close();
    throw;
  }
  return core;
}

SubscriptionCore::SubscriptionCore(LocalActor& actor, detail::TopicHandle handle,
                                   SubscribeOptions options)
    : actor_(actor),
      handle_(std::move(handle)),
      options_(std::move(options)),
      id_(make_unique_id()),
      intake_(actor.fan_out().open_intake(handle_.endpoint, handle_.word, *this)) {
  intake_->hear(wire::make_topic(wire::subscriber_topic, id_), ipc::Match::exactly);
  choose(options_.subjects);
  ask();
}

std::string SubscriptionCore::about() const {
  return "topic '" + handle_.name + "' of " + describe(handle_.publisher);
}

// ------------------------------------------------------------------------------------- choosing

void SubscriptionCore::choose(std::vector<std::string> const& subjects) {
  for (std::string const& subject : subjects)
    if (subject.find('\0') != std::string::npos)
      throw std::invalid_argument("tractor: a subject of " + about() +
                                  " cannot have a zero byte in it");
  auto const hear = [&](std::string_view subject, ipc::Match match, bool on) {
    if (is_lossless()) return;
    auto const topic = wire::make_topic(wire::subject_topic, subject);
    on ? intake_->hear(topic, match) : intake_->leave(topic, match);
  };
  std::uint64_t const since = asked_ + 1;
  // What is new first: who has both meanwhile loses nothing in between.
  for (std::string const& subject : subjects)
    if (tracks_.try_emplace(subject, Track{since, {}}).second)
      hear(subject, ipc::Match::exactly, true);
  if (subjects.empty() && !all_) {
    all_ = Track{since, {}};
    hear({}, ipc::Match::beginning, true);
  }
  for (auto at = tracks_.begin(); at != tracks_.end();) {
    if (std::find(subjects.begin(), subjects.end(), at->first) != subjects.end()) {
      ++at;
      continue;
    }
    hear(at->first, ipc::Match::exactly, false);
    at = tracks_.erase(at);
  }
  if (!subjects.empty() && all_) {
    all_.reset();
    hear({}, ipc::Match::beginning, false);
  }
}

void SubscriptionCore::ask() {
  wire::Ask ask;
  ask.subscriber = id_;
  ask.number = ++asked_;
  ask.actor = actor_.id();
  ask.all = all_.has_value();
  for (auto const& [subject, track] : tracks_) ask.subjects.push_back(subject);
  if (is_lossless()) {
    ask.window = options_.window;
    ask.window_bytes = options_.window_bytes;
  }
  heard_ = 0;
  intake_->say(tractor::encode(ask));
}

void SubscriptionCore::await_answer() {
  auto const kept = shared_from_this();
  std::uint64_t const number = asked_;
  trio::lowlevel::checkpoint_if_cancelled();
  while (answered_ < number) {
    check_over();
    if (over_)
      throw TransportClosed("tractor: " + about() + " is over: its publisher has closed it");
    asking_.park();
  }
}

void SubscriptionCore::follow(std::vector<std::string> subjects) {
  check_over();
  if (over_) throw TransportClosed("tractor: " + about() + " is over: its publisher has closed it");
  choose(subjects);
  drop_unwanted();
  ask();
  await_answer();
}

bool SubscriptionCore::is_wanted(std::string_view subject) const {
  return all_ || tracks_.contains(subject);
}

void SubscriptionCore::drop_unwanted() {
  std::deque<Entry> kept;
  std::uint64_t gap = 0;
  for (Entry& entry : waiting_) {
    gap += std::exchange(entry.gap, 0);
    if (is_wanted(entry.arrival.subject)) {
      entry.gap = std::exchange(gap, 0);
      kept.push_back(std::move(entry));
    } else {
      waiting_bytes_ -= entry.arrival.item.size();
      count_read(entry.arrival.item.size());
    }
  }
  missing_ += gap;
  waiting_ = std::move(kept);
}

// --------------------------------------------------------------------------------- what comes in

void SubscriptionCore::on_message(std::string_view topic, ipc::Stamp const& stamp, Buffer payload) {
  ++heard_;
  if (auto const subject = wire::name_in(topic, wire::subject_topic))
    return on_item(*subject, stamp, std::move(payload));
  try {
    auto const state = decode<wire::State>(payload.bytes());
    if (is_lossless() && !state.identity.empty())
      connect_link(state);
    else
      on_state(state);
  } catch (std::exception const&) {
    finish(std::current_exception());
  }
}

void SubscriptionCore::on_caught_up() {
  if (!over_ && !is_lossless() && heard_ >= worth_asking_) ask();
}

void SubscriptionCore::on_lost(std::string const& reason) {
  // What has come by the link is to be received first: that ends as well.
  if (!link_) lose(reason);
}

void SubscriptionCore::lose(std::string const& reason) {
  finish(std::make_exception_ptr(TransportClosed(reason + " (" + about() + ")")));
}

void SubscriptionCore::connect_link(wire::State const& state) {
  if (link_) return;
  link_ = actor_.transport().connect(state.endpoint, state.identity);
  actor_.service_nursery().start_soon(
      {.name = "subscription to " + handle_.name},
      [self = shared_from_this(), link = link_] { self->serve_link(*link); });
}

void SubscriptionCore::serve_link(ipc::Link& link) {
  try {
    link.wait_connected();
    while (!over_) {
      auto [header, payload] = link.receive();
      auto message = decode<wire::OnLink>(header.bytes());
      if (auto const* state = std::get_if<wire::State>(&message)) {
        on_state(*state);
      } else {
        auto const& item = std::get<wire::Item>(message);
        on_item(item.subject, {item.of_subject, item.of_all}, std::move(payload));
      }
    }
  } catch (TransportClosed const& closed) {
    lose(closed.what());
  } catch (DecodeError const&) {
    finish(std::current_exception());
  } catch (trio::Cancelled const&) {
    lose("tractor: the tasks that serve this subscription were cancelled");
    throw;
  }
}

void SubscriptionCore::on_state(wire::State const& state) {
  worth_asking_ = std::max(state.queue, wire::shortest_queue) / 4;
  if (all_) advance(*all_, state.number, state.all);
  for (auto const& [subject, published] : state.subjects)
    if (auto const track = tracks_.find(subject); track != tracks_.end())
      advance(track->second, state.number, published);
  if (state.ending == wire::Ending::none) {
    answered_ = std::max(answered_, state.number);
    asking_.unpark_all();
  } else if (state.ending == wire::Ending::closed) {
    finish(nullptr);
  } else {
    finish(std::make_exception_ptr(
        StreamAborted("tractor: " + about() + " was ended by an exception there")));
  }
}

void SubscriptionCore::advance(Track& track, std::uint64_t answered, std::uint64_t published) {
  if (track.next && published > *track.next) miss(published - *track.next);
  if (track.next || answered >= track.since) track.next = published;
}

void SubscriptionCore::on_item(std::string_view subject, ipc::Stamp const& stamp, Buffer item) {
  if (over_) return;
  auto const found = all_ ? tracks_.end() : tracks_.find(subject);
  Track* const track = all_ ? &*all_ : found != tracks_.end() ? &found->second : nullptr;
  std::uint64_t const number = all_ ? stamp.of_all : stamp.of_topic;
  // It was on its way when it was unfollowed: its publisher has still counted it.
  if (!track || !track->next || number < *track->next) return count_read(item.size());
  if (number > *track->next) miss(number - *track->next);
  track->next = number + 1;
  if (!over_) keep({{std::string(subject), std::move(item), number}, 0});
}

void SubscriptionCore::miss(std::uint64_t count) {
  if (is_lossless())
    return finish(std::make_exception_ptr(TransportClosed(
        "tractor: " + about() + " has lost " + std::to_string(count) + " items on a link")));
  if (options_.overrun == Overrun::error)
    return finish(std::make_exception_ptr(
        StreamOverrun("tractor: a subscription to " + about() + " was too slow")));
  missing_ += count;
  if (waiting_.empty()) receivers_.unpark_one();
}

void SubscriptionCore::drop_oldest() {
  Entry const& oldest = waiting_.front();
  std::uint64_t const gap = oldest.gap + 1;
  waiting_bytes_ -= oldest.arrival.item.size();
  waiting_.pop_front();
  (waiting_.empty() ? missing_ : waiting_.front().gap) += gap;
}

bool SubscriptionCore::make_room(std::size_t size) {
  while (!waiting_.empty() &&
         (waiting_.size() >= options_.window || waiting_bytes_ + size > options_.window_bytes)) {
    if (options_.overrun != Overrun::drop_oldest) return false;
    drop_oldest();
  }
  return true;
}

void SubscriptionCore::keep(Entry entry) {
  std::size_t const size = entry.arrival.item.size();
  if (is_lossless()) {
    // It has said what it has room for.
    if (waiting_.size() >= options_.window || waiting_bytes_ >= options_.window_bytes)
      return finish(std::make_exception_ptr(
          TransportClosed("tractor: " + about() + " has sent more than there was room for")));
  } else if (!make_room(size)) {
    return miss(1);
  }
  entry.gap = std::exchange(missing_, 0);
  waiting_.push_back(std::move(entry));
  waiting_bytes_ += size;
  receivers_.unpark_one();
}

// ------------------------------------------------------------------------------------- receiving

void SubscriptionCore::tell_missed(std::uint64_t count) {
  missed_ += count;
  wake_next();
  if (options_.on_lag == trio::OnLag::raise) throw Lagged(count, handle_.name, handle_.publisher);
}

// A task that waits is woken for what comes, but one that is woken may get a Lagged that goes
// before that, and never come again.
void SubscriptionCore::wake_next() {
  if (!waiting_.empty() || missing_ != 0) receivers_.unpark_one();
}

std::optional<detail::Arrival> SubscriptionCore::take() {
  if (!waiting_.empty()) {
    if (auto const gap = std::exchange(waiting_.front().gap, 0)) tell_missed(gap);
    auto arrival = std::move(waiting_.front().arrival);
    waiting_.pop_front();
    waiting_bytes_ -= arrival.item.size();
    ++received_;
    count_read(arrival.item.size());
    wake_next();
    return arrival;
  }
  if (auto const gap = std::exchange(missing_, 0)) tell_missed(gap);
  return std::nullopt;
}

void SubscriptionCore::count_read(std::size_t bytes) {
  if (!is_lossless()) return;
  ++read_.items;
  read_.bytes += bytes;
  // In batches: a message for each item would cost more than the item.
  if (over_ || (read_.items - granted_.items < (options_.window + 3) / 4 &&
                read_.bytes - granted_.bytes < (options_.window_bytes + 3) / 4))
    return;
  granted_ = read_;
  try {
    link_->send(ipc::Lane::control, {tractor::encode(read_), {}});
  } catch (TransportClosed const&) {
    // What came before its end can still be received.
  }
}

void SubscriptionCore::check_over() const {
  if (closed_)
    throw trio::ClosedResourceError("tractor: this subscription to " + about() + " is closed");
  if (over_ && error_) std::rethrow_exception(error_);
}

std::optional<detail::Arrival> SubscriptionCore::next() {
  trio::lowlevel::checkpoint_if_cancelled();
  bool has_waited = false;
  for (;;) {
    if (auto arrival = take()) {
      if (!has_waited) trio::lowlevel::cancel_shielded_checkpoint();
      return arrival;
    }
    check_over();
    if (over_) {
      if (!has_waited) trio::lowlevel::cancel_shielded_checkpoint();
      return std::nullopt;
    }
    receivers_.park();
    has_waited = true;
  }
}

std::optional<detail::Arrival> SubscriptionCore::next_nowait() {
  if (auto arrival = take()) return arrival;
  check_over();
  if (!over_) throw trio::WouldBlock();
  return std::nullopt;
}

SubscriptionStatistics SubscriptionCore::statistics() const noexcept {
  return {received_, missed_, waiting_.size()};
}

void SubscriptionCore::finish(std::exception_ptr error) noexcept {
  if (std::exchange(over_, true)) return;
  error_ = std::move(error);
  if (intake_) intake_->close();
  if (link_) link_->close(std::chrono::seconds(0));
  receivers_.unpark_all();
  asking_.unpark_all();
}

void SubscriptionCore::close() noexcept {
  if (std::exchange(closed_, true)) return;
  finish(nullptr);
  waiting_.clear();
  waiting_bytes_ = 0;
  missing_ = 0;
  receivers_.unpark_all();
}

}  // namespace runtime

namespace detail {

std::shared_ptr<runtime::SubscriptionCore> subscribe(TopicHandle const& handle,
                                                     std::string const& schema,
                                                     SubscribeOptions options) {
  if (!handle.endpoint.empty() && handle.schema != schema)
    throw SignatureMismatch("tractor: topic '" + handle.name + "' of " +
                                describe(handle.publisher) + " carries '" + handle.schema +
                                "' there and '" + schema + "' here; build both from one source",
                            schema, handle.schema);
  return runtime::SubscriptionCore::open(handle, std::move(options));
}

SubscriptionEnd& SubscriptionEnd::operator=(SubscriptionEnd&& other) noexcept {
  if (this != &other) {
    close();
    core_ = std::move(other.core_);
  }
  return *this;
}

std::shared_ptr<runtime::SubscriptionCore> SubscriptionEnd::core() const {
  if (!core_) throw trio::ClosedResourceError("tractor: this subscription was moved elsewhere");
  return core_;
}

std::optional<Arrival> SubscriptionEnd::next() const { return core()->next(); }

std::optional<Arrival> SubscriptionEnd::next_nowait() const { return core()->next_nowait(); }

void SubscriptionEnd::follow(std::vector<std::string> subjects) const {
  core()->follow(std::move(subjects));
}

SubscriptionStatistics SubscriptionEnd::statistics() const noexcept {
  return core_ ? core_->statistics() : SubscriptionStatistics{};
}

void SubscriptionEnd::close() noexcept {
  if (core_) core_->close();
}

}  // namespace detail
}  // namespace tractor
