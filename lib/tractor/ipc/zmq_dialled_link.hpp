// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "zmq_context.hpp"
#include "zmq_link.hpp"
#include "zmq_monitor.hpp"
#include "zmq_socket.hpp"
#include "zmq_transport.hpp"

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
  ZmqDialledLink(std::shared_ptr<ZmqContext> context, ZmqOptions const& options,
                 trio::Nursery& service, std::string const& endpoint, std::string const& identity);

  ~ZmqDialledLink() override { close(std::chrono::seconds(0)); }

  void wait_connected() override;

 private:
  class LaneEnd final : public ZmqReader {
   public:
    LaneEnd(ZmqDialledLink& link, Lane lane);

    void connect(ZmqOptions const& options, std::string const& user);

    ZmqSocket socket;

   private:
    void on_message(std::span<zmq::message_t> parts) override;
    void on_idle(bool writable) override;
    void on_cancelled() override;

    ZmqDialledLink& link_;
    Lane lane_;
    bool attached_ = false;
  };

  bool transmit(Lane lane, std::span<zmq::message_t> parts) override;
  void release(trio::Duration linger) override;

  void report(std::string const& what) override { report_(what); }

  void on_connection_event(int event);

  // First: the sockets need it to their end.
  std::shared_ptr<ZmqContext> context_;
  trio::Nursery& service_;
  std::string endpoint_;
  std::function<void(std::string const&)> report_;
  trio::Time give_up_at_;
  LaneEnd control_;
  LaneEnd data_;
  // Of the control lane; the other fails for the same reasons.
  std::optional<ZmqMonitor> monitor_;
};

}  // namespace tractor::ipc
