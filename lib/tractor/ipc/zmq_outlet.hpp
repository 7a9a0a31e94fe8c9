// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "fan_out.hpp"
#include "transport_options.hpp"
#include "unix_listening_socket.hpp"
#include "zmq_context.hpp"
#include "zmq_monitor.hpp"
#include "zmq_socket.hpp"

#include <trio/nursery.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace tractor::ipc {

// An XPUB. It lets in whoever gives the word that goes with it; over Unix sockets, only this user.
class ZmqOutlet final : public Outlet, ZmqReader {
 public:
  // `queue`: how many messages may wait for an intake, before it loses some. Throws
  // TransportClosed, std::system_error.
  ZmqOutlet(std::shared_ptr<ZmqContext> context, TransportOptions const& options,
            trio::Nursery& service, std::string const& name, std::string word, std::size_t queue,
            OutletReader& reader);

  ~ZmqOutlet() override { close(std::chrono::seconds(0)); }

  std::string const& endpoint() const override { return endpoint_; }

  void send(std::string_view topic, Stamp const& stamp, Buffer payload) override;
  void close(trio::Duration linger) override;

 private:
  void on_message(std::span<zmq::message_t> parts) override;

  void on_cancelled() override { reader_.on_cancelled(); }

  // First: the sockets need it to their end.
  std::shared_ptr<ZmqContext> context_;
  OutletReader& reader_;
  // By which the door tells this from listeners.
  std::string domain_;
  std::string word_;
  std::optional<UnixListeningSocket> name_;
  ZmqSocket socket_;
  std::optional<ZmqMonitor> monitor_;
  std::string endpoint_;
};

}  // namespace tractor::ipc
