// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "transport.hpp"

#include <trio/parking_lot.hpp>

#include <deque>
#include <optional>
#include <string>

namespace tractor::ipc {

// Why a link is over whose service nursery has ended.
inline constexpr auto serving_cancelled = "tractor: the tasks that serve this link were cancelled";

// The receiving side of a link: what has arrived and was not yet received, and whether more may
// come. A link shares it with the tasks that wait in it, which may see it closed and destroyed.
class Inbox {
 public:
  // The peer is there. Not a checkpoint.
  void set_connected();

  bool is_connected() const noexcept { return connected_; }

  // Not a checkpoint. Nothing once over.
  void push(Lane lane, Frame frame);

  // Nothing more will come, for this reason, the first one given. What is there may still be
  // received. Not a checkpoint.
  void finish(std::string reason);
  // Nor may that: drops it.
  void finish_at_once(std::string reason);

  bool is_finished() const noexcept { return over_.has_value(); }

  // Why it is over. Throws TransportClosed if it is.
  void throw_if_finished() const;

  // As those of Link.
  void wait_connected();
  Frame receive();

 private:
  std::optional<Frame> take();

  std::deque<Frame> control_;
  std::deque<Frame> data_;
  bool connected_ = false;
  std::optional<std::string> over_;
  bool has_receiver_ = false;
  trio::lowlevel::ParkingLot receiver_;
  trio::lowlevel::ParkingLot connecting_;
};

}  // namespace tractor::ipc
