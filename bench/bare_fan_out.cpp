// SPDX-License-Identifier: BSL-1.0
#include "bare_fan_out.hpp"

#include <unistd.h>

namespace bench {

void subscribe_by_zmq(char const* endpoint) {
  zmq::context_t context;
  zmq::socket_t subscriber(context, zmq::socket_type::sub);
  zmq::socket_t tells(context, zmq::socket_type::push);
  subscriber.set(zmq::sockopt::rcvhwm, 0);
  tells.connect(std::string(endpoint) + "-told");
  subscriber.connect(endpoint);
  subscriber.set(zmq::sockopt::subscribe, "");
  zmq::message_t message;
  for (int received = 0; subscriber.recv(message) && message.size() > 0;) {
    if (++received < fan_out_batch) continue;
    received = 0;
    tells.send(zmq::message_t(), zmq::send_flags::none);
  }
}

BareFanOut::BareFanOut(int subscribers)
    : publisher_(context_, zmq::socket_type::xpub), told_(context_, zmq::socket_type::pull) {
  static int last = 0;
  std::string const endpoint =
      "ipc://@tractor-fan-out-" + std::to_string(getpid()) + "-" + std::to_string(++last);
  publisher_.set(zmq::sockopt::sndhwm, 0);
  publisher_.set(zmq::sockopt::xpub_verbose, true);
  publisher_.bind(endpoint);
  told_.bind(endpoint + "-told");
  zmq::message_t subscription;
  for (int i = 0; i < subscribers; ++i) {
    subscribers_.emplace_back(BareProcess({zmq_subscriber, endpoint}));
    static_cast<void>(publisher_.recv(subscription));
  }
}

BareFanOut::~BareFanOut() { publisher_.send(zmq::message_t(), zmq::send_flags::none); }

void BareFanOut::publish_batch(std::string_view text) {
  for (int i = 0; i < fan_out_batch; ++i) publisher_.send(zmq::buffer(text), zmq::send_flags::none);
  zmq::message_t told;
  for (std::size_t i = 0; i < subscribers_.size(); ++i) static_cast<void>(told_.recv(told));
}

}  // namespace bench
