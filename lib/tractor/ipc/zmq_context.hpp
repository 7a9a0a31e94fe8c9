// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "zmq_door.hpp"

#include <cstdint>

#include <zmq.hpp>

namespace tractor::ipc {

// What the sockets of a transport share: ZeroMQ's I/O thread, and the door. Lives as long as any of
// them. Its end waits until closed sockets have lingered.
class ZmqContext {
 public:
  // Throws zmq::error_t, std::system_error.
  ZmqContext() : context_(1), door_(context_) {}

  ZmqContext(ZmqContext const&) = delete;
  ZmqContext& operator=(ZmqContext const&) = delete;

  // The door is destroyed next, and then the context.
  ~ZmqContext() { context_.shutdown(); }

  zmq::context_t& raw() noexcept { return context_; }

  ZmqDoor& door() noexcept { return door_; }

  // Never the same twice, here.
  std::uint64_t next_number() noexcept { return ++last_number_; }

 private:
  zmq::context_t context_;
  ZmqDoor door_;
  std::uint64_t last_number_ = 0;
};

}  // namespace tractor::ipc
