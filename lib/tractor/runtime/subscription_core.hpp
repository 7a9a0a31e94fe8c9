// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "../ipc/fan_out.hpp"
#include "../ipc/transport.hpp"
#include "../wire/fan_out.hpp"

#include <tractor/subscription.hpp>
#include <tractor/topic.hpp>
#include <trio/parking_lot.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tractor {

class LocalActor;

namespace runtime {

// A subscription: what has come and was not received, and exactly where something is missing.
//
// There are two places to lose items. Here, when the user is slow: a task of the service takes all
// that comes, and what does not fit is counted at once. And in ZeroMQ's queues, when this scheduler
// is: the numbers of the items tell, and at last a State. For that it asks when it has caught up,
// but only after so many messages that the queue there may have been full; that is why a State is
// never lost for good, and why nobody needs a timer.
class SubscriptionCore final : public std::enable_shared_from_this<SubscriptionCore>,
                               public ipc::IntakeReader {
 public:
  // See Topic::subscribe. A checkpoint.
  static std::shared_ptr<SubscriptionCore> open(detail::TopicHandle const& handle,
                                                SubscribeOptions options);

  SubscriptionCore(LocalActor& actor, detail::TopicHandle handle, SubscribeOptions options);
  SubscriptionCore(SubscriptionCore const&) = delete;
  SubscriptionCore& operator=(SubscriptionCore const&) = delete;

  ~SubscriptionCore() { close(); }

  // See Subscription.
  std::optional<detail::Arrival> next();
  std::optional<detail::Arrival> next_nowait();
  void follow(std::vector<std::string> subjects);
  SubscriptionStatistics statistics() const noexcept;
  void close() noexcept;

 private:
  struct Entry {
    detail::Arrival arrival;
    // How many are missing before it.
    std::uint64_t gap = 0;
  };

  // How far a subject is.
  struct Track {
    // The Ask that first named it.
    std::uint64_t since = 0;
    // The number of the next item; empty until that Ask is answered: what comes before is not ours.
    std::optional<std::uint64_t> next = {};
  };

  void on_message(std::string_view topic, ipc::Stamp const& stamp, Buffer payload) override;
  void on_caught_up() override;
  void on_lost(std::string const& reason) override;

  void lose(std::string const& reason);

  void on_state(wire::State const& state);
  void on_item(std::string_view subject, ipc::Stamp const& stamp, Buffer item);
  void advance(Track& track, std::uint64_t answered, std::uint64_t published);
  void keep(Entry entry);
  // Makes room for so many bytes; false if the newest is to go.
  bool make_room(std::size_t size);
  void drop_oldest();
  void miss(std::uint64_t count);
  void drop_unwanted();
  bool is_wanted(std::string_view subject) const;

  // What has come; throws Lagged.
  std::optional<detail::Arrival> take();
  void tell_missed(std::uint64_t count);
  // There may be more than as many were woken for.
  void wake_next();
  void check_over() const;
  void count_read(std::size_t bytes);

  void choose(std::vector<std::string> const& subjects);
  void ask();
  // Waits until the latest Ask is answered.
  void await_answer();
  void connect_link(wire::State const& state);
  void serve_link(ipc::Link& link);

  bool is_lossless() const noexcept { return options_.overrun == Overrun::wait; }

  // It is over: by an error, or in order.
  void finish(std::exception_ptr error) noexcept;
  std::string about() const;

  // Until close() or finish() only.
  LocalActor& actor_;
  detail::TopicHandle const handle_;
  SubscribeOptions options_;
  std::string const id_;
  std::unique_ptr<ipc::Intake> intake_;
  std::shared_ptr<ipc::Link> link_;

  // Of each subject, or of all together.
  std::map<std::string, Track, std::less<>> tracks_;
  std::optional<Track> all_;
  std::uint64_t asked_ = 0;
  std::uint64_t answered_ = 0;
  // Messages since the last Ask; and after how many it may be worthwhile to ask again.
  std::uint64_t heard_ = 0;
  std::uint64_t worth_asking_ = wire::shortest_queue / 4;

  std::deque<Entry> waiting_;
  std::size_t waiting_bytes_ = 0;
  // How many are missing after those.
  std::uint64_t missing_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t missed_ = 0;
  wire::Taken read_ = {};
  wire::Taken granted_ = {};

  bool closed_ = false;
  bool over_ = false;
  std::exception_ptr error_;
  trio::lowlevel::ParkingLot receivers_;
  trio::lowlevel::ParkingLot asking_;
};

}  // namespace runtime
}  // namespace tractor
