// SPDX-License-Identifier: BSL-1.0
#include "zmq_dialled_link.hpp"

#include "linger.hpp"
#include "peer_address.hpp"
#include "zmq_error.hpp"
#include "zmq_socket_options.hpp"

#include <trio/cancel_scope.hpp>

#include <utility>

namespace tractor::ipc {

ZmqDialledLink::ZmqDialledLink(std::shared_ptr<ZmqContext> context, ZmqOptions const& options,
                               trio::Nursery& service, std::string const& endpoint,
                               std::string const& identity)
    : context_(std::move(context)),
      service_(service),
      endpoint_(endpoint),
      report_(options.report),
      give_up_at_(trio::after(trio::current_time(), options.handshake_timeout)),
      control_(*this, Lane::control),
      data_(*this, Lane::data) {
  telling("connect to " + endpoint, [&] {
    monitor_.emplace(*context_, control_.socket.raw(),
                     ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                         ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL,
                     service, "connecting to " + endpoint,
                     [this](int event, int) { on_connection_event(event); });
    control_.connect(options, identity + "/c");
    data_.connect(options, identity + "/d");
  });
}

ZmqDialledLink::LaneEnd::LaneEnd(ZmqDialledLink& link, Lane lane)
    : socket(link.context_->raw(), zmq::socket_type::dealer), link_(link), lane_(lane) {}

void ZmqDialledLink::LaneEnd::connect(ZmqOptions const& options, std::string const& user) {
  apply_options(socket.raw(), options);
  auto const timeout = static_cast<int>(options.handshake_timeout.count());
  socket.raw().set(zmq::sockopt::connect_timeout, timeout);
  // A link is one session: it is not made again.
  socket.raw().set(zmq::sockopt::reconnect_ivl, -1);
  // There is something to write to exactly while there is a connection.
  socket.raw().set(zmq::sockopt::immediate, true);
  // Says the greeting.
  socket.raw().set(zmq::sockopt::probe_router, true);
  socket.raw().set(zmq::sockopt::plain_username, user);
  socket.raw().connect(link_.endpoint_);
  socket.start(link_.service_, "reading from " + link_.endpoint_, *this);
}

void ZmqDialledLink::LaneEnd::on_message(std::span<zmq::message_t> parts) {
  if (kind_of(parts) != ZmqKind::welcome) return link_.lane_received(lane_, parts);
  char const* const address = parts[0].gets("Peer-Address");
  link_.lane_opened(lane_, credentials_in(address));
  if (link_.inbox()->is_connected()) link_.monitor_->stop();
}

void ZmqDialledLink::LaneEnd::on_idle(bool writable) {
  if (attached_ && !writable)
    link_.lane_lost(lane_, "tractor: the connection to " + link_.endpoint_ +
                               " is gone: the process at the other end has ended, or the network "
                               "between has failed");
  attached_ = writable;
}

void ZmqDialledLink::LaneEnd::on_cancelled() {
  link_.fail("tractor: the tasks that serve this link were cancelled");
}

void ZmqDialledLink::on_connection_event(int event) {
  switch (event) {
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      return fail("tractor: refused by the listener at " + endpoint_ +
                  ": it expects nobody of this identity, or no longer");
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      return fail("tractor: what listens at " + endpoint_ + " does not talk as we do");
    case ZMQ_EVENT_CLOSED:
      return fail("tractor: nobody listens at " + endpoint_);
    default:
      return fail("tractor: the listener at " + endpoint_ + " closed the connection at once");
  }
}

void ZmqDialledLink::wait_connected() {
  auto const kept = inbox();
  auto const endpoint = endpoint_;
  bool const late = trio::move_on_at(give_up_at_, [&] { kept->wait_connected(); }).cut_short;
  if (late) {
    kept->finish("tractor: the listener at " + endpoint + " did not answer in time");
    kept->throw_if_finished();
  }
}

bool ZmqDialledLink::transmit(Lane lane, std::span<zmq::message_t> parts) {
  return (lane == Lane::control ? control_ : data_).socket.send(parts);
}

void ZmqDialledLink::release(trio::Duration linger) {
  auto const bound = bounded_linger(linger);
  if (monitor_) monitor_->stop();
  control_.socket.close(bound);
  data_.socket.close(bound);
}

}  // namespace tractor::ipc
