// SPDX-License-Identifier: BSL-1.0
#include "zmq_dialled_link.hpp"

#include "linger.hpp"
#include "zmq_socket_options.hpp"

#include <limits>
#include <utility>

namespace tractor::ipc {

ZmqDialledLink::ZmqDialledLink(std::shared_ptr<ZmqContext> context, TransportOptions const& options,
                               trio::Nursery& service, std::string const& endpoint,
                               std::string const& identity)
    : context_(std::move(context)),
      service_(service),
      endpoint_(endpoint),
      report_(options.report),
      control_(*this, Lane::control),
      data_(*this, Lane::data) {
  control_.connect(options, identity + "/c");
  data_.connect(options, identity + "/d");
}

ZmqDialledLink::LaneEnd::LaneEnd(ZmqDialledLink& link, Lane lane)
    : link_(link), lane_(lane), socket_(*link.context_, zmq::socket_type::dealer) {}

void ZmqDialledLink::LaneEnd::connect(TransportOptions const& options, std::string const& user) {
  auto& socket = socket_.raw();
  apply_options(socket, options);
  socket.set(zmq::sockopt::connect_timeout, static_cast<int>(options.handshake_timeout.count()));
  // A link is one session, never made again. But -1, for never, would throw away what has arrived
  // and is unread when the connection ends, and so would ZMQ_IMMEDIATE.
  socket.set(zmq::sockopt::reconnect_ivl, std::numeric_limits<int>::max());
  // Says the greeting.
  socket.set(zmq::sockopt::probe_router, true);
  socket.set(zmq::sockopt::plain_username, user);
  monitor_.emplace(*link_.context_, socket,
                   ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                       ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL,
                   link_.service_, "connection to " + link_.endpoint_,
                   [this](int event, int) { on_connection_event(event); });
  socket.connect(link_.endpoint_);
  socket_.start(link_.service_, "reading from " + link_.endpoint_, *this);
}

void ZmqDialledLink::LaneEnd::close(std::chrono::milliseconds linger) {
  if (monitor_) monitor_->stop();
  socket_.close(linger);
}

void ZmqDialledLink::LaneEnd::on_message(std::span<zmq::message_t> parts) {
  if (kind_of(parts) != ZmqKind::welcome) return link_.lane_received(lane_, parts);
  link_.lane_opened(lane_);
}

void ZmqDialledLink::LaneEnd::on_idle() {
  if (disconnected_)
    link_.lane_lost(lane_, "tractor: the connection to " + link_.endpoint_ +
                               " is gone: the process at the other end has ended, or the network "
                               "between has failed");
}

void ZmqDialledLink::LaneEnd::on_cancelled() { link_.fail(serving_cancelled); }

void ZmqDialledLink::LaneEnd::on_connection_event(int event) {
  auto const& endpoint = link_.endpoint_;
  switch (event) {
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      return link_.fail("tractor: refused by the listener at " + endpoint +
                        ": it expects nobody of this identity, or no longer");
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      return link_.fail("tractor: what listens at " + endpoint +
                        " does not talk as we do, or did not answer in time");
    case ZMQ_EVENT_CLOSED:
      return link_.fail("tractor: nobody listens at " + endpoint);
    default:
      disconnected_ = true;
      return socket_.look_again();
  }
}

bool ZmqDialledLink::transmit(Lane lane, std::span<zmq::message_t> parts) {
  return end(lane).send(parts);
}

void ZmqDialledLink::release(trio::Duration linger) {
  auto const bound = bounded_linger(linger);
  control_.close(bound);
  data_.close(bound);
}

}  // namespace tractor::ipc
