// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "fan_out.hpp"
#include "transport_options.hpp"
#include "zmq_context.hpp"
#include "zmq_monitor.hpp"
#include "zmq_socket.hpp"

#include <trio/nursery.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace tractor::ipc {

// An XSUB. (A SUB could not say anything.)
class ZmqIntake final : public Intake, ZmqReader {
 public:
  // Begins to connect, giving `word`. Throws TransportClosed.
  ZmqIntake(std::shared_ptr<ZmqContext> context, TransportOptions const& options,
            trio::Nursery& service, std::string const& endpoint, std::string const& word,
            IntakeReader& reader);

  ~ZmqIntake() override { close(); }

  void hear(std::string_view topic, Match match) override;
  void leave(std::string_view topic, Match match) override;
  void say(Buffer text) override;
  void close() override;

 private:
  void on_message(std::span<zmq::message_t> parts) override;
  void on_idle() override;
  void on_cancelled() override;
  void on_connection_event(int event);
  void send(zmq::message_t message);
  void lose(std::string const& reason);

  // First: the sockets need it to their end.
  std::shared_ptr<ZmqContext> context_;
  IntakeReader& reader_;
  std::string endpoint_;
  std::function<void(std::string const&)> report_;
  ZmqSocket socket_;
  std::optional<ZmqMonitor> monitor_;
  // The connection has ended, but something that came by it may be unread.
  bool disconnected_ = false;
};

}  // namespace tractor::ipc
