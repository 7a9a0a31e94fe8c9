// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "transport_options.hpp"
#include "zmq_context.hpp"
#include "zmq_frame.hpp"
#include "zmq_monitor.hpp"
#include "zmq_socket.hpp"

#include <trio/nursery.hpp>
#include <trio/time.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace tractor::ipc {

class ZmqAcceptedLink;

// What a ROUTER calls a connection. Never used twice.
using ZmqRoute = std::uint32_t;

// A ROUTER, which carries all links of one listener.
class ZmqListener final : public Listener, ZmqReader {
 public:
  // Throws TransportClosed, std::system_error.
  ZmqListener(std::shared_ptr<ZmqContext> context, TransportOptions const& options,
              trio::Nursery& service, std::string const& name);
  ~ZmqListener() override;

  std::string const& endpoint() const override { return endpoint_; }

  std::unique_ptr<Link> expect(std::string const& identity) override;

  // For its links.

  // False: there is no such connection; if there was, its link will be told that it is lost.
  bool send(ZmqRoute route, std::span<zmq::message_t> parts);
  // Forgets the link. What was sent may leave for `linger` after the listener has gone.
  void release(ZmqAcceptedLink& link, std::chrono::milliseconds linger);

  void report(std::string const& what) { options_.report(endpoint_ + ": " + what); }

 private:
  // A connection that has been let in.
  struct Peer {
    ZmqAcceptedLink* link;
    Lane lane;
    // Its descriptor, by which ZeroMQ's monitor calls it.
    int fd;
  };

  void on_message(std::span<zmq::message_t> parts) override;
  void on_idle() override;
  void on_cancelled() override;
  void on_connection_event(int event, int value);

  void let_in(ZmqRoute route, zmq::message_t const& greeting);
  bool send_to(ZmqRoute route, std::span<zmq::message_t> parts);
  bool say(ZmqRoute route, ZmqKind kind);

  // First: the sockets need it to their end.
  std::shared_ptr<ZmqContext> context_;
  TransportOptions options_;
  // By which the door tells listeners apart.
  std::string domain_;
  ZmqSocket socket_;
  std::optional<ZmqMonitor> monitor_;
  std::string endpoint_;

  // By the name it gives at the door: who is expected on which lane.
  std::unordered_map<std::string, std::pair<ZmqAcceptedLink*, Lane>> expected_;
  std::unordered_set<ZmqAcceptedLink*> links_;
  std::unordered_map<ZmqRoute, Peer> peers_;
  // Connections that may be over: ZeroMQ's hints come before the fact.
  std::vector<ZmqRoute> suspects_;
  // Those that are, of which something may still be unread.
  std::vector<ZmqRoute> lost_;
  std::chrono::steady_clock::time_point linger_until_ = {};
  bool cancelled_ = false;
};

}  // namespace tractor::ipc
