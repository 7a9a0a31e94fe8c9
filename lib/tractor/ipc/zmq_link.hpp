// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "inbox.hpp"
#include "transport.hpp"
#include "zmq_frame.hpp"

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <zmq.hpp>

namespace tractor::ipc {

// One end of a link, whichever: two lanes, each a connection, that open once and end once. Whoever
// reads the sockets tells it what happens to its lanes.
class ZmqLink : public Link {
 public:
  void wait_connected() final;
  void send(Lane lane, Frame frame) final;
  Frame receive() final;
  void close(trio::Duration linger) final;

  std::optional<PeerCredentials> credentials() const final { return std::nullopt; }

  // The peer is there, on this lane.
  void lane_opened(Lane lane);
  // A message, other than those that open a lane.
  void lane_received(Lane lane, std::span<zmq::message_t> parts);
  // The connection is gone, and all that came by it has been told.
  void lane_lost(Lane lane, std::string const& reason);
  // The link is over, without the peer's doing.
  void fail(Reason reason);

 private:
  // Ended by the peer, or lost with its connection.
  enum class State { unopened, open, ended, lost };

  // False: the lane's connection is gone, of which lane_lost will tell.
  virtual bool transmit(Lane lane, std::span<zmq::message_t> parts) = 0;
  // Lets the connections go. Nothing may be told to this object afterwards.
  virtual void release(trio::Duration linger) = 0;
  // The peer broke the rules.
  virtual void report(std::string const& what) = 0;

  State& state(Lane lane) noexcept { return states_[static_cast<std::size_t>(lane)]; }

  bool is_over(Lane lane) const noexcept;

  void say_end();
  void fail_unless_open(Lane lane, Reason reason);

  std::shared_ptr<Inbox> const inbox_ = std::make_shared<Inbox>();
  std::array<State, 2> states_ = {State::unopened, State::unopened};
  bool released_ = false;
};

}  // namespace tractor::ipc
