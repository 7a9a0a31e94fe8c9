// SPDX-License-Identifier: BSL-1.0
#include "zmq_link.hpp"

#include <chrono>
#include <utility>

namespace tractor::ipc {

namespace {

constexpr Lane lanes[] = {Lane::control, Lane::data};

Lane other(Lane lane) { return lane == Lane::control ? Lane::data : Lane::control; }

}  // namespace

void ZmqLink::send(Lane lane, Frame frame) {
  inbox_->throw_if_finished();
  if (!inbox_->is_connected())
    throw TransportClosed("tractor: this link is not connected yet; call wait_connected() first");
  if (is_over(Lane::control) || is_over(Lane::data))
    throw TransportClosed("tractor: the other end of the link has gone or is going");
  ZmqMessage message;
  encode(std::move(frame), message);
  if (!transmit(lane, message.parts()))
    throw TransportClosed("tractor: the connection to the other end of the link is gone");
}

void ZmqLink::wait_connected() {
  auto const kept = inbox_;
  kept->wait_connected();
}

Frame ZmqLink::receive() {
  auto const kept = inbox_;
  return kept->receive();
}

void ZmqLink::close(trio::Duration linger) {
  // To a peer that never came there is nothing to say.
  bool const lingers = inbox_->is_connected();
  inbox_->finish_at_once("tractor: the link was closed at this end");
  if (std::exchange(released_, true)) return;
  for (Lane const lane : lanes)
    if (state(lane) == State::open) say(lane, ZmqKind::end);
  release(lingers ? linger : std::chrono::seconds(0));
}

void ZmqLink::fail(std::string reason) {
  inbox_->finish(std::move(reason));
  if (!std::exchange(released_, true)) release(std::chrono::seconds(0));
}

void ZmqLink::say(Lane lane, ZmqKind kind) {
  zmq::message_t message = encode(kind);
  transmit(lane, {&message, 1});
}

void ZmqLink::lane_opened(Lane lane, std::optional<PeerCredentials> peer) {
  if (state(lane) != State::unopened) return;
  state(lane) = State::open;
  credentials_ = peer;
  if (state(other(lane)) == State::open) inbox_->set_connected();
}

void ZmqLink::lane_received(Lane lane, std::span<zmq::message_t> parts) {
  auto const kind = kind_of(parts);
  if (kind == ZmqKind::probe) return;
  if (kind == ZmqKind::end)
    return lane_over(lane, State::ended, "tractor: the other end closed the link");
  if (kind == ZmqKind::frame || kind == ZmqKind::large_frame) {
    if (auto frame = decode(*kind, parts)) return inbox_->push(lane, std::move(*frame));
  }
  std::string const what = "a peer sent what is no message of ours";
  report(what);
  for (Lane const each : lanes)
    if (state(each) == State::open) say(each, ZmqKind::end);
  fail("tractor: the link was cut: " + what);
}

void ZmqLink::lane_lost(Lane lane, std::string const& reason) {
  if (is_over(lane)) return;
  // So that a peer that lives gives up as well. Also if it said so itself: it may have lost this
  // lane too, said so by the other, and be waiting there for us to do the same.
  if (state(other(lane)) == State::open || state(other(lane)) == State::ended)
    say(other(lane), ZmqKind::end);
  lane_over(lane, State::lost, reason);
}

void ZmqLink::lane_over(Lane lane, State how, std::string const& reason) {
  state(lane) = how;
  if (state(other(lane)) != State::open) fail(reason);
}

bool ZmqLink::is_over(Lane lane) const noexcept {
  auto const now = states_[static_cast<std::size_t>(lane)];
  return now == State::ended || now == State::lost;
}

}  // namespace tractor::ipc
