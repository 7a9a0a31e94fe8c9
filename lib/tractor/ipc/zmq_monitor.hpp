// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "zmq_context.hpp"
#include "zmq_socket.hpp"

#include <functional>

namespace tractor::ipc {

// Tells what becomes of a socket's connections.
class ZmqMonitor final : ZmqReader {
 public:
  // An event of zmq_socket_monitor, and its value.
  using Told = std::function<void(int event, int value)>;

  // Watches for `events` (a mask). Throws zmq::error_t.
  ZmqMonitor(ZmqContext& context, zmq::socket_t& watched, int events, trio::Nursery& nursery,
             std::string name, Told told);
  ZmqMonitor(ZmqMonitor const&) = delete;
  ZmqMonitor& operator=(ZmqMonitor const&) = delete;

  ~ZmqMonitor() { stop(); }

  // Tells, here and now, of all that has happened so far.
  void catch_up() { events_.read_now(); }

  // Tells nothing any more. To be called before `watched` is closed; idempotent.
  void stop();

 private:
  void on_message(std::span<zmq::message_t> parts) override;

  void on_cancelled() override {}

  zmq::socket_t& watched_;
  ZmqSocket events_;
  Told told_;
};

}  // namespace tractor::ipc
