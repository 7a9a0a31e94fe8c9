// SPDX-License-Identifier: BSL-1.0
#include "zmq_accepted_link.hpp"

#include "linger.hpp"

#include <utility>

namespace tractor::ipc {

bool ZmqAcceptedLink::transmit(Lane lane, std::span<zmq::message_t> parts) {
  auto const route = routes_[static_cast<std::size_t>(lane)];
  return route && listener_->send(*route, parts);
}

void ZmqAcceptedLink::release(trio::Duration linger) {
  std::exchange(listener_, nullptr)->release(*this, bounded_linger(linger));
}

}  // namespace tractor::ipc
