// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "../ipc/fan_out.hpp"
#include "../ipc/transport.hpp"
#include "../wire/fan_out.hpp"

#include <tractor/publisher.hpp>
#include <trio/parking_lot.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tractor {

class LocalActor;

namespace runtime {

// A publisher: who has subscribed to what, and how far each subject is. After close() it stays
// until every subscriber has taken leave, as one that has lost the last items must be able to ask.
class PublisherCore final : public std::enable_shared_from_this<PublisherCore>, ipc::OutletReader {
 public:
  // See Publisher.
  static std::shared_ptr<PublisherCore> open(std::string name, std::string schema,
                                             PublisherOptions const& options);

  PublisherCore(LocalActor& actor, std::string name, std::string schema,
                PublisherOptions const& options);
  PublisherCore(PublisherCore const&) = delete;
  PublisherCore& operator=(PublisherCore const&) = delete;
  ~PublisherCore() = default;

  detail::TopicHandle const& handle() const noexcept { return handle_; }

  void wait_for_room(std::string_view subject);
  void require_room(std::string_view subject);
  bool is_wanted(std::string_view subject) const noexcept;
  // To those who want it; there is room. Not a checkpoint.
  void send(std::string_view subject, Buffer item);

  std::vector<Subscriber> subscribers() const;
  std::map<std::string, std::size_t> subjects() const;
  void wait_for_subscribers(std::size_t count);
  void wait_until_unwanted();

  void close(wire::Ending ending) noexcept;

 private:
  struct Subject {
    std::uint64_t published = 0;
    std::size_t subscribers = 0;
  };

  struct Known {
    // Its subjects in order, each once.
    wire::Ask ask;
    // In which order they came.
    std::uint64_t place = 0;
    // Only of those that are to lose nothing, from when it is connected.
    std::shared_ptr<ipc::Link> link = {};
    bool linked = false;
    wire::Taken sent = {};
    wire::Taken read = {};

    bool is_lossless() const noexcept { return ask.window != 0; }

    // It has been confirmed.
    bool is_there() const noexcept { return linked || !is_lossless(); }

    bool wants(std::string_view subject) const noexcept;
    bool has_room() const noexcept;
  };

  using Subscribers = std::map<std::string, Known>;

  void on_said(std::span<std::byte const> text) override;
  void on_heard(std::string_view topic) override;
  void on_unheard(std::string_view topic) override;
  void on_cancelled() override;

  void on_ask(wire::Ask ask);
  // Counts, or no longer counts, what it wants.
  void count(wire::Ask const& ask, bool wanted);
  wire::State state_for(wire::Ask const& ask) const;
  void answer(Known& known);
  void expect_link(Known& known, wire::State& state);
  void serve_link(std::string const& id, ipc::Link& link);
  void forget(std::string const& id);

  void check_subject(std::string_view subject) const;
  void check_open() const;
  std::size_t count_there() const noexcept;
  bool has_room(std::string_view subject) const noexcept;
  void wake_all();
  // Nobody is left to speak to.
  void finish() noexcept;

  // Until on_cancelled() only.
  LocalActor& actor_;
  std::size_t const queue_;
  detail::TopicHandle handle_;
  std::unique_ptr<ipc::Listener> listener_;
  std::unique_ptr<ipc::Outlet> outlet_;
  // Who listens, under what id. Whoever asks is one of them, or we would never learn of its end.
  std::set<std::string> listening_;
  Subscribers subscribers_;
  std::uint64_t last_place_ = 0;
  // How many of those lose nothing.
  std::size_t lossless_ = 0;
  // How many want every subject; and each that others want.
  std::size_t want_all_ = 0;
  std::map<std::string, Subject, std::less<>> subjects_;
  std::uint64_t published_ = 0;
  wire::Ending ending_ = wire::Ending::none;
  // The actor has ended.
  bool cancelled_ = false;
  trio::lowlevel::ParkingLot room_;
  trio::lowlevel::ParkingLot changed_;
};

}  // namespace runtime
}  // namespace tractor
