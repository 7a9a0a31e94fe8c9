// SPDX-License-Identifier: BSL-1.0
#include "inbox.hpp"

#include <trio/errors.hpp>
#include <trio/lowlevel.hpp>

#include <utility>

namespace tractor::ipc {

void Inbox::set_connected() {
  connected_ = true;
  connecting_.unpark_all();
}

void Inbox::push(Lane lane, Frame frame) {
  if (over_) return;
  (lane == Lane::control ? control_ : data_).push_back(std::move(frame));
  receiver_.unpark_all();
}

void Inbox::finish(Reason reason) {
  if (over_) return;
  over_ = std::move(reason);
  receiver_.unpark_all();
  connecting_.unpark_all();
}

void Inbox::finish_at_once(Reason reason) {
  connected_ = false;
  control_.clear();
  data_.clear();
  finish(std::move(reason));
}

void Inbox::throw_if_finished() const {
  if (!over_) return;
  std::visit([](auto const& reason) { throw TransportClosed(std::string(reason)); }, *over_);
}

void Inbox::wait_connected() {
  trio::lowlevel::checkpoint_if_cancelled();
  if (connected_ || over_) trio::lowlevel::cancel_shielded_checkpoint();
  while (!connected_ && !over_) connecting_.park();
  // A peer that came, spoke and went was there: what it said is to be received.
  if (!connected_) throw_if_finished();
}

std::optional<Frame> Inbox::take() {
  auto& lane = control_.empty() ? data_ : control_;
  if (lane.empty()) return {};
  Frame frame = std::move(lane.front());
  lane.pop_front();
  return frame;
}

Frame Inbox::receive() {
  if (has_receiver_)
    throw trio::BusyResourceError("tractor: another task already receives from this link");

  struct Turn {
    bool& taken;

    explicit Turn(bool& flag) : taken(flag) { taken = true; }

    ~Turn() { taken = false; }
  } turn(has_receiver_);

  trio::lowlevel::checkpoint_if_cancelled();
  bool waited = false;
  for (;;) {
    if (auto frame = take()) {
      if (!waited) trio::lowlevel::cancel_shielded_checkpoint();
      return std::move(*frame);
    }
    throw_if_finished();
    receiver_.park();
    waited = true;
  }
}

}  // namespace tractor::ipc
