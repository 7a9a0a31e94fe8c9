// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "zmq_door.hpp"

#include <cstdint>
#include <optional>

#include <zmq.hpp>

namespace tractor::ipc {

// What the sockets of a transport share: ZeroMQ's I/O thread, and the door if any of them listens.
// Lives as long as they do. Its end waits until closed sockets have lingered.
class ZmqContext {
 public:
  // Throws zmq::error_t.
  ZmqContext() : context_(1) {}

  ZmqContext(ZmqContext const&) = delete;
  ZmqContext& operator=(ZmqContext const&) = delete;

  // The door is destroyed next, and then the context.
  ~ZmqContext() { context_.shutdown(); }

  zmq::context_t& raw() noexcept { return context_; }

  // Made when first asked for: it has a thread, and most actors never listen. Throws zmq::error_t,
  // std::system_error.
  ZmqDoor& door() {
    if (!door_) door_.emplace(context_);
    return *door_;
  }

  // Never the same twice, here.
  std::uint64_t next_number() noexcept { return ++last_number_; }

 private:
  zmq::context_t context_;
  std::optional<ZmqDoor> door_;
  std::uint64_t last_number_ = 0;
};

}  // namespace tractor::ipc
