// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "bare_process.hpp"

#include <string>
#include <string_view>

#include <zmq.hpp>

namespace bench {

// Bare libzmq between two processes, as actors use it: the parent's ROUTER, the child's DEALER,
// over ipc.

// What the child is told to do, with the endpoint.
inline constexpr char const* zmq_hello = "zmq-hello";
inline constexpr char const* zmq_service = "zmq-service";

// Says hello and ends.
void say_hello_by_zmq(char const* endpoint);
// Says hello, then sends every message back, but those that begin with `one_way`; until an empty
// one.
void serve_by_zmq(char const* endpoint);

inline constexpr char one_way = '.';

// The parent's socket, to which any number of children connect.
class BareRouter {
 public:
  BareRouter();

  // What the children are told.
  std::string const& endpoint() const noexcept { return endpoint_; }

  // Waits for a message, and remembers whom it is from.
  void receive();
  // To whom the last received message was from.
  void send(std::string_view text);

 private:
  std::string endpoint_;
  zmq::context_t context_;
  zmq::socket_t router_;
  zmq::message_t id_;
};

// One child that serves.
class BareZmqPeer {
 public:
  BareZmqPeer() : process_({zmq_service, router_.endpoint()}) { router_.receive(); }

  ~BareZmqPeer() { router_.send(""); }

  void send(std::string_view text) { router_.send(text); }

  void round_trip(std::string_view text) {
    router_.send(text);
    router_.receive();
  }

 private:
  BareRouter router_;
  // Ends first.
  BareProcess process_;
};

}  // namespace bench
