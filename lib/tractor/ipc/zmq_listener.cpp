// SPDX-License-Identifier: BSL-1.0
#include "zmq_listener.hpp"

#include "zmq_accepted_link.hpp"
#include "zmq_frame.hpp"
#include "zmq_listening.hpp"
#include "zmq_property.hpp"
#include "zmq_socket_options.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <unistd.h>

namespace tractor::ipc {

namespace {

// A ROUTER calls a peer that claims no name a zero and a number.
constexpr std::size_t route_size = 1 + sizeof(ZmqRoute);

std::optional<ZmqRoute> route_in(zmq::message_t const& part) {
  if (part.size() != route_size || *part.data<char>() != 0) return {};
  ZmqRoute route = 0;
  std::memcpy(&route, part.data<char>() + 1, sizeof route);
  return route;
}

zmq::message_t encode(ZmqRoute route) {
  zmq::message_t part(route_size);
  *part.data<char>() = 0;
  std::memcpy(part.data<char>() + 1, &route, sizeof route);
  return part;
}

}  // namespace

ZmqListener::ZmqListener(std::shared_ptr<ZmqContext> context, TransportOptions const& options,
                         trio::Nursery& service, std::string const& name)
    : context_(std::move(context)),
      options_(options),
      domain_(std::to_string(context_->next_number())),
      socket_(*context_, zmq::socket_type::router) {
  // Before anybody can knock: where there is no door, ZeroMQ lets everybody in.
  context_->door();
  apply_options(socket_.raw(), options_);
  socket_.raw().set(zmq::sockopt::router_mandatory, true);
  socket_.raw().set(zmq::sockopt::plain_server, true);
  socket_.raw().set(zmq::sockopt::zap_domain, domain_);
  monitor_.emplace(*context_, socket_.raw(),
                   ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                       ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL,
                   service, "connections at " + name,
                   [this](int event, int value) { on_connection_event(event, value); });
  endpoint_ = listen_by_tcp(socket_.raw(), options_);
  socket_.start(service, "reading from all at " + endpoint_, *this);
}

ZmqListener::~ZmqListener() {
  while (!links_.empty()) (*links_.begin())->fail(listener_closed);
  monitor_->stop();
  auto const linger = std::chrono::ceil<std::chrono::milliseconds>(
      linger_until_ - std::chrono::steady_clock::now());
  socket_.close(std::max(linger, std::chrono::milliseconds(0)));
}

std::unique_ptr<Link> ZmqListener::expect(std::string const& identity) {
  auto link = std::make_unique<ZmqAcceptedLink>(*this, identity);
  links_.insert(link.get());
  expected_[identity + "/c"] = {link.get(), Lane::control};
  expected_[identity + "/d"] = {link.get(), Lane::data};
  context_->door().expect(domain_, identity + "/c");
  context_->door().expect(domain_, identity + "/d");
  if (cancelled_) link->fail(serving_cancelled);
  return link;
}

void ZmqListener::release(ZmqAcceptedLink& link, std::chrono::milliseconds linger) {
  for (auto const* suffix : {"/c", "/d"}) {
    context_->door().forget(domain_, link.identity() + suffix);
    expected_.erase(link.identity() + suffix);
  }
  for (auto const& route : link.routes())
    if (route) peers_.erase(*route);
  links_.erase(&link);
  linger_until_ = std::max(linger_until_, std::chrono::steady_clock::now() + linger);
}

bool ZmqListener::send(ZmqRoute route, std::span<zmq::message_t> parts) {
  if (send_to(route, parts)) return true;
  suspects_.push_back(route);
  return false;
}

bool ZmqListener::send_to(ZmqRoute route, std::span<zmq::message_t> parts) {
  std::array<zmq::message_t, 1 + ZmqMessage::max_parts> addressed;
  addressed[0] = encode(route);
  std::move(parts.begin(), parts.end(), addressed.begin() + 1);
  return socket_.send(std::span(addressed).first(1 + parts.size()));
}

bool ZmqListener::say(ZmqRoute route, ZmqKind kind) {
  zmq::message_t message = ipc::encode(kind);
  return send_to(route, {&message, 1});
}

void ZmqListener::on_message(std::span<zmq::message_t> parts) {
  auto const content = parts.subspan(1);
  auto const route = route_in(parts[0]);
  if (!route) {
    if (is_greeting(content)) report("ignored a peer that chose a routing id for itself");
    return;
  }
  auto const found = peers_.find(*route);
  if (found != peers_.end())
    found->second.link->lane_received(found->second.lane, content);
  else if (is_greeting(content))
    let_in(*route, content[0]);
}

void ZmqListener::let_in(ZmqRoute route, zmq::message_t const& greeting) {
  auto const expected = expected_.extract(property(greeting, "User-Id"));
  if (expected.empty()) {
    // Its link was closed after the door had let it in.
    say(route, ZmqKind::end);
    return;
  }
  // That an earlier connection with this descriptor has ended must not be taken for the end of
  // this.
  monitor_->catch_up();
  auto const [link, lane] = expected.mapped();
  peers_[route] = {link, lane, std::atoi(property(greeting, "__fd"))};
  link->set_route(lane, route);
  // Its connection may have ended before we knew whose it was.
  if (!say(route, ZmqKind::welcome)) suspects_.push_back(route);
  link->lane_opened(lane);
}

void ZmqListener::on_idle() {
  for (ZmqRoute const route : std::exchange(lost_, {})) {
    auto const peer = peers_.extract(route);
    if (!peer.empty())
      peer.mapped().link->lane_lost(peer.mapped().lane,
                                    "tractor: the connection from the other end of the link is "
                                    "gone: its process has ended, or the network has failed");
  }
  for (ZmqRoute const route : std::exchange(suspects_, {})) {
    if (!peers_.contains(route)) continue;
    // Probing may let in what was sent before the end: it is told before the end is.
    (say(route, ZmqKind::probe) ? suspects_ : lost_).push_back(route);
  }
  // ZeroMQ's thread is about to take the route away, and the news of that may be consumed by any
  // call, so no descriptor will tell: we ask each turn until it has.
  if (!suspects_.empty()) socket_.look_again();
}

void ZmqListener::on_cancelled() {
  cancelled_ = true;
  for (ZmqAcceptedLink* link : std::vector(links_.begin(), links_.end()))
    link->fail(serving_cancelled);
}

void ZmqListener::on_connection_event(int event, int value) {
  switch (event) {
    case ZMQ_EVENT_DISCONNECTED:
      for (auto const& [route, peer] : peers_)
        if (peer.fd == value) suspects_.push_back(route);
      return socket_.look_again();
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      return report("refused a stranger: nobody of this identity is expected");
    default:
      return report("refused a stranger: it does not talk as we do");
  }
}

}  // namespace tractor::ipc
