// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "zmq_link.hpp"
#include "zmq_listener.hpp"

#include <array>
#include <optional>
#include <span>
#include <string>

namespace tractor::ipc {

// The end that is connected to: two connections of a listener's socket.
class ZmqAcceptedLink final : public ZmqLink {
 public:
  ZmqAcceptedLink(ZmqListener& listener, std::string identity)
      : listener_(&listener), identity_(std::move(identity)) {}

  ~ZmqAcceptedLink() override { close(std::chrono::seconds(0)); }

  std::string const& identity() const noexcept { return identity_; }

  void set_route(Lane lane, ZmqRoute route) { routes_[static_cast<std::size_t>(lane)] = route; }

  std::array<std::optional<ZmqRoute>, 2> const& routes() const noexcept { return routes_; }

 private:
  bool transmit(Lane lane, std::span<zmq::message_t> parts) override;
  void release(trio::Duration linger) override;

  void report(std::string const& what) override { listener_->report(what); }

  // Null once released.
  ZmqListener* listener_;
  std::string identity_;
  std::array<std::optional<ZmqRoute>, 2> routes_;
};

}  // namespace tractor::ipc
