// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "transport.hpp"

#include <trio/parking_lot.hpp>

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace tractor::ipc {

// Why a link is over: a sentence that lives for ever, which needs no memory, or one that was made.
using Reason = std::variant<std::string_view, std::string>;

// Of a link whose service nursery has ended.
inline constexpr std::string_view serving_cancelled =
    "tractor: the tasks that serve this link were cancelled";
// Of one that we have closed.
inline constexpr std::string_view closed_here = "tractor: the link was closed at this end";
// Of one that the other end has closed.
inline constexpr std::string_view closed_there = "tractor: the other end closed the link";
// Of one whose listener we have closed.
inline constexpr std::string_view listener_closed = "tractor: the listener of this link was closed";

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
  void finish(Reason reason);
  // Nor may that: drops it.
  void finish_at_once(Reason reason);

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
  std::optional<Reason> over_;
  bool has_receiver_ = false;
  trio::lowlevel::ParkingLot receiver_;
  trio::lowlevel::ParkingLot connecting_;
};

}  // namespace tractor::ipc
