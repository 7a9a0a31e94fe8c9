// SPDX-License-Identifier: BSL-1.0
#include "zmq_outlet.hpp"

#include "linger.hpp"
#include "zmq_broadcast.hpp"
#include "zmq_listening.hpp"
#include "zmq_socket_options.hpp"

#include <string_view>
#include <utility>

namespace tractor::ipc {

ZmqOutlet::ZmqOutlet(std::shared_ptr<ZmqContext> context, TransportOptions const& options,
                     trio::Nursery& service, std::string const& name, std::string word,
                     std::size_t queue, OutletReader& reader)
    : context_(std::move(context)),
      reader_(reader),
      domain_(std::to_string(context_->next_number())),
      word_(std::move(word)),
      socket_(*context_, zmq::socket_type::xpub) {
  context_->door().open(domain_, word_);
  apply_options(socket_.raw(), options);
  socket_.raw().set(zmq::sockopt::sndhwm, static_cast<int>(queue));
  socket_.raw().set(zmq::sockopt::plain_server, true);
  socket_.raw().set(zmq::sockopt::zap_domain, domain_);
  monitor_.emplace(
      *context_, socket_.raw(),
      // Not of a handshake that only breaks off: so a subscription ends that was cancelled.
      ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, service,
      "connections at " + name, [this, report = options.report](int event, int /*value*/) {
        report(endpoint_ + (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
                                ? ": refused a stranger: it has no handle of this topic"
                                : ": refused a stranger: it does not talk as we do"));
      });
  endpoint_ = options.kind == TransportKind::ipc
                  ? listen_by_ipc(socket_.raw(), name_.emplace(options.directory, name))
                  : listen_by_tcp(socket_.raw(), options);
  socket_.start(service, "listening to subscribers at " + endpoint_, *this);
}

void ZmqOutlet::send(std::string_view topic, Stamp const& stamp, Buffer payload) {
  ZmqMessage message;
  encode(topic, stamp, std::move(payload), message);
  socket_.send(message.parts());
}

void ZmqOutlet::close(trio::Duration linger) {
  if (!socket_.is_open()) return;
  context_->door().close(domain_, word_);
  monitor_->stop();
  socket_.close(bounded_linger(linger));
  name_.reset();
}

// An XPUB tells of a topic when the first chooses it and when the last leaves it or is gone, by a
// one or a zero before the topic. What does not begin so was said by an intake.
void ZmqOutlet::on_message(std::span<zmq::message_t> parts) {
  std::string_view const text = parts[0].to_string_view();
  if (text.empty() || parts.size() != 1) return;
  if (text.front() == 1) {
    if (auto const topic = unterminated(text.substr(1))) reader_.on_heard(*topic);
  } else if (text.front() == 0) {
    if (auto const topic = unterminated(text.substr(1))) reader_.on_unheard(*topic);
  } else if (text.front() == said) {
    reader_.on_said({parts[0].data<std::byte>() + 1, parts[0].size() - 1});
  }
}

}  // namespace tractor::ipc
