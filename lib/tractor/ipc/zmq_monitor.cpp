// SPDX-License-Identifier: BSL-1.0
#include "zmq_monitor.hpp"

#include <cstdint>
#include <cstring>
#include <utility>

namespace tractor::ipc {

ZmqMonitor::ZmqMonitor(ZmqContext& context, zmq::socket_t& watched, int events,
                       trio::Nursery& nursery, std::string name, Told told)
    : watched_(watched), events_(context, zmq::socket_type::pair), told_(std::move(told)) {
  auto const endpoint = "inproc://monitor-" + std::to_string(context.next_number());
  if (zmq_socket_monitor(watched.handle(), endpoint.c_str(), events) != 0) throw zmq::error_t();
  // Without a bound, or ZeroMQ's own thread would wait for us to take the events away.
  events_.raw().set(zmq::sockopt::rcvhwm, 0);
  events_.raw().connect(endpoint);
  events_.start(nursery, std::move(name), *this);
}

void ZmqMonitor::stop() {
  if (!events_.is_open()) return;
  // In this order: ZeroMQ's own thread waits for ever to tell an event to nobody.
  zmq_socket_monitor(watched_.handle(), nullptr, 0);
  events_.close();
}

void ZmqMonitor::on_message(std::span<zmq::message_t> parts) {
  // zmq_socket_monitor(3): the event and its value, packed; then the endpoint.
  std::uint16_t event = 0;
  std::uint32_t value = 0;
  auto const* bytes = static_cast<char const*>(parts[0].data());
  std::memcpy(&event, bytes, sizeof event);
  std::memcpy(&value, bytes + sizeof event, sizeof value);
  told_(event, static_cast<int>(value));
}

}  // namespace tractor::ipc
