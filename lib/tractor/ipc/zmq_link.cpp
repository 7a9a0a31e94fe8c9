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
  inbox_->finish_at_once(closed_here);
  if (std::exchange(released_, true)) return;
  say_end();
  release(lingers ? linger : std::chrono::seconds(0));
}

void ZmqLink::fail(Reason reason) {
  inbox_->finish(std::move(reason));
  if (!std::exchange(released_, true)) release(std::chrono::seconds(0));
}

// So that a peer that lives gives up as well. By a lane that it has ended, too: it may have lost
// the other, said so by this one, and be waiting there for us to do the same.
void ZmqLink::say_end() {
  for (Lane const lane : lanes) {
    if (state(lane) == State::unopened || state(lane) == State::lost) continue;
    zmq::message_t message = encode(ZmqKind::end);
    transmit(lane, {&message, 1});
  }
}

void ZmqLink::lane_opened(Lane lane) {
  if (state(lane) != State::unopened) return;
  state(lane) = State::open;
  if (state(other(lane)) == State::open) inbox_->set_connected();
}

void ZmqLink::lane_received(Lane lane, std::span<zmq::message_t> parts) {
  auto const kind = kind_of(parts);
  if (kind == ZmqKind::probe) return;
  if (kind == ZmqKind::end) {
    state(lane) = State::ended;
    return fail_unless_open(other(lane), closed_there);
  }
  if (kind == ZmqKind::frame || kind == ZmqKind::large_frame) {
    if (auto frame = decode(*kind, parts)) return inbox_->push(lane, std::move(*frame));
  }
  std::string const what = "a peer sent what is no message of ours";
  report(what);
  say_end();
  fail("tractor: the link was cut: " + what);
}

void ZmqLink::lane_lost(Lane lane, std::string const& reason) {
  if (is_over(lane)) return;
  state(lane) = State::lost;
  say_end();
  fail_unless_open(other(lane), reason);
}

void ZmqLink::fail_unless_open(Lane lane, Reason reason) {
  if (state(lane) != State::open) fail(std::move(reason));
}

bool ZmqLink::is_over(Lane lane) const noexcept {
  auto const now = states_[static_cast<std::size_t>(lane)];
  return now == State::ended || now == State::lost;
}

}  // namespace tractor::ipc
