// SPDX-License-Identifier: BSL-1.0
#include "transport.hpp"

#include "unix_transport.hpp"
#include "zmq_transport.hpp"

#include <utility>

namespace tractor::ipc {

std::unique_ptr<Transport> make_transport(trio::Nursery& service, TransportOptions options) {
  return options.kind == TransportKind::ipc ? make_unix_transport(service, std::move(options))
                                            : make_zmq_transport(service, std::move(options));
}

}  // namespace tractor::ipc
