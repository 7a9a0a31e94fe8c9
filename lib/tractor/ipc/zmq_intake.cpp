// SPDX-License-Identifier: BSL-1.0
#include "zmq_intake.hpp"

#include "zmq_broadcast.hpp"
#include "zmq_socket_options.hpp"

#include <cstring>
#include <limits>
#include <utility>

namespace tractor::ipc {

namespace {

// How many messages may wait here while this scheduler does not look; more wait at the other end.
constexpr int unread_messages = 1000;

}  // namespace

ZmqIntake::ZmqIntake(std::shared_ptr<ZmqContext> context, TransportOptions const& options,
                     trio::Nursery& service, std::string const& endpoint, std::string const& word,
                     IntakeReader& reader)
    : context_(std::move(context)),
      reader_(reader),
      endpoint_(endpoint),
      report_(options.report),
      socket_(*context_, zmq::socket_type::xsub) {
  auto& socket = socket_.raw();
  apply_options(socket, options);
  socket.set(zmq::sockopt::rcvhwm, unread_messages);
  socket.set(zmq::sockopt::connect_timeout, static_cast<int>(options.handshake_timeout.count()));
  // One session, as a link: see ZmqDialledLink.
  socket.set(zmq::sockopt::reconnect_ivl, std::numeric_limits<int>::max());
  socket.set(zmq::sockopt::plain_username, word);
  monitor_.emplace(*context_, socket,
                   ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                       ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL,
                   service, "connection to " + endpoint_,
                   [this](int event, int /*value*/) { on_connection_event(event); });
  socket.connect(endpoint_);
  socket_.start(service, "hearing " + endpoint_, *this);
}

void ZmqIntake::hear(std::string_view topic, Match match) {
  send(encode_choice(true, topic, match));
}

void ZmqIntake::leave(std::string_view topic, Match match) {
  send(encode_choice(false, topic, match));
}

void ZmqIntake::say(Buffer text) {
  zmq::message_t message(1 + text.size());
  *message.data<char>() = said;
  std::memcpy(message.data<char>() + 1, text.data(), text.size());
  send(std::move(message));
}

void ZmqIntake::send(zmq::message_t message) {
  if (socket_.is_open()) socket_.send({&message, 1});
}

void ZmqIntake::close() {
  if (!socket_.is_open()) return;
  monitor_->stop();
  socket_.close();
}

void ZmqIntake::lose(std::string const& reason) {
  if (!socket_.is_open()) return;
  close();
  reader_.on_lost(reason);
}

void ZmqIntake::on_message(std::span<zmq::message_t> parts) {
  auto heard = decode_heard(parts);
  if (heard) return reader_.on_message(heard->topic, heard->stamp, std::move(heard->payload));
  std::string const what = "a publisher sent what is no message of ours";
  report_(endpoint_ + ": " + what);
  lose("tractor: the connection to " + endpoint_ + " was cut: " + what);
}

void ZmqIntake::on_idle() {
  reader_.on_caught_up();
  if (disconnected_)
    lose("tractor: the connection to " + endpoint_ +
         " is gone: the process at the other end has ended, or the network between has failed");
}

void ZmqIntake::on_cancelled() {
  lose("tractor: the tasks that serve this subscription were cancelled");
}

void ZmqIntake::on_connection_event(int event) {
  switch (event) {
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      return lose("tractor: refused by the publisher at " + endpoint_ +
                  ": what we have is no handle of its topic");
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      return lose("tractor: what listens at " + endpoint_ +
                  " does not talk as we do, or did not answer in time");
    case ZMQ_EVENT_CLOSED:
      return lose("tractor: nobody publishes at " + endpoint_ + " any more");
    default:
      disconnected_ = true;
      return socket_.look_again();
  }
}

}  // namespace tractor::ipc
