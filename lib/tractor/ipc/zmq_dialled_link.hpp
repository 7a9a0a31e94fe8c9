// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "transport_options.hpp"
#include "zmq_context.hpp"
#include "zmq_link.hpp"
#include "zmq_monitor.hpp"
#include "zmq_socket.hpp"

#include <trio/nursery.hpp>
#include <trio/time.hpp>

#include <memory>
#include <optional>
#include <span>
#include <string>

namespace tractor::ipc {

// The end that connects: a DEALER a lane.
class ZmqDialledLink final : public ZmqLink {
 public:
  // Begins to connect. Throws TransportClosed.
  ZmqDialledLink(std::shared_ptr<ZmqContext> context, TransportOptions const& options,
                 trio::Nursery& service, std::string const& endpoint, std::string const& identity);

  ~ZmqDialledLink() override { close(std::chrono::seconds(0)); }

 private:
  // A lane's socket, and what becomes of it.
  class LaneEnd final : public ZmqReader {
   public:
    LaneEnd(ZmqDialledLink& link, Lane lane);

    void connect(TransportOptions const& options, std::string const& user);

    bool send(std::span<zmq::message_t> parts) { return socket_.send(parts); }

    void close(std::chrono::milliseconds linger);

   private:
    void on_message(std::span<zmq::message_t> parts) override;
    void on_idle() override;
    void on_cancelled() override;
    void on_connection_event(int event);

    ZmqDialledLink& link_;
    Lane lane_;
    ZmqSocket socket_;
    std::optional<ZmqMonitor> monitor_;
    // The connection has ended, but something that came by it may be unread.
    bool disconnected_ = false;
  };

  bool transmit(Lane lane, std::span<zmq::message_t> parts) override;
  void release(trio::Duration linger) override;

  void report(std::string const& what) override { report_(what); }

  LaneEnd& end(Lane lane) { return lane == Lane::control ? control_ : data_; }

  // First: the sockets need it to their end.
  std::shared_ptr<ZmqContext> context_;
  trio::Nursery& service_;
  std::string endpoint_;
  std::function<void(std::string const&)> report_;
  LaneEnd control_;
  LaneEnd data_;
};

}  // namespace tractor::ipc
