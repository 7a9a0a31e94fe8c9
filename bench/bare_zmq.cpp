// SPDX-License-Identifier: BSL-1.0
#include "bare_zmq.hpp"

#include <unistd.h>

namespace bench {

namespace {

constexpr std::string_view hello = "hello";

// In the abstract namespace: nothing is left behind.
std::string unused_endpoint() {
  static int last = 0;
  return "ipc://@tractor-bench-" + std::to_string(getpid()) + "-" + std::to_string(++last);
}

}  // namespace

void say_hello_by_zmq(char const* endpoint) {
  zmq::context_t context;
  zmq::socket_t dealer(context, ZMQ_DEALER);
  dealer.connect(endpoint);
  dealer.send(zmq::buffer(hello), zmq::send_flags::none);
}

void serve_by_zmq(char const* endpoint) {
  zmq::context_t context;
  zmq::socket_t dealer(context, ZMQ_DEALER);
  dealer.connect(endpoint);
  dealer.send(zmq::buffer(hello), zmq::send_flags::none);
  for (zmq::message_t message; dealer.recv(message) && message.size() > 0;)
    if (*message.data<char>() != one_way) dealer.send(message, zmq::send_flags::none);
}

BareRouter::BareRouter() : endpoint_(unused_endpoint()), router_(context_, ZMQ_ROUTER) {
  // Without it, a ROUTER drops what it cannot send at once.
  router_.set(zmq::sockopt::router_mandatory, true);
  router_.set(zmq::sockopt::linger, 0);
  router_.bind(endpoint_);
}

void BareRouter::receive() {
  static_cast<void>(router_.recv(id_));
  zmq::message_t message;
  static_cast<void>(router_.recv(message));
}

void BareRouter::send(std::string_view text) {
  router_.send(zmq::buffer(id_.data(), id_.size()), zmq::send_flags::sndmore);
  router_.send(zmq::buffer(text), zmq::send_flags::none);
}

}  // namespace bench
