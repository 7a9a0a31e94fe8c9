// SPDX-License-Identifier: BSL-1.0
#include "zmq_transport.hpp"

#include "zmq_context.hpp"
#include "zmq_dialled_link.hpp"
#include "zmq_error.hpp"
#include "zmq_listener.hpp"

#include <utility>

namespace tractor::ipc {

namespace {

class ZmqTransport final : public Transport {
 public:
  ZmqTransport(trio::Nursery& service, TransportOptions options)
      : service_(service), options_(std::move(options)) {}

  std::unique_ptr<Listener> listen(std::string const& name) override {
    return telling("listen as " + name, [&] {
      return std::make_unique<ZmqListener>(context_, options_, service_, name);
    });
  }

  std::unique_ptr<Link> connect(std::string const& endpoint, std::string const& identity) override {
    return telling("connect to " + endpoint, [&] {
      return std::make_unique<ZmqDialledLink>(context_, options_, service_, endpoint, identity);
    });
  }

  void process_ends() noexcept override { context_->process_ends(); }

 private:
  trio::Nursery& service_;
  TransportOptions options_;
  std::shared_ptr<ZmqContext> const context_ = std::make_shared<ZmqContext>();
};

}  // namespace

std::unique_ptr<Transport> make_zmq_transport(trio::Nursery& service, TransportOptions options) {
  return telling("use ZeroMQ",
                 [&] { return std::make_unique<ZmqTransport>(service, std::move(options)); });
}

}  // namespace tractor::ipc
