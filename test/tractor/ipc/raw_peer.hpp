// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "../../../lib/tractor/ipc/packet.hpp"
#include "../../../lib/tractor/ipc/zmq_socket.hpp"
#include "support.hpp"

#include <string>
#include <vector>

#include <zmq.hpp>

namespace ipc_test {

// A ZeroMQ DEALER that does what it likes.
class RawPeer final : tractor::ipc::ZmqReader {
 public:
  // Gives `user` as its name; none: does not try to.
  RawPeer(Scene& scene, std::string const& endpoint, std::string const& user,
          std::string const& routing_id = {});

  void send(std::vector<std::string> const& parts);
  // The first part of the next message. A checkpoint.
  std::string receive();

  // Not a checkpoint.
  bool has_received() const noexcept { return !received_.empty(); }

 private:
  void on_message(std::span<zmq::message_t> parts) override;

  void on_cancelled() override {}

  tractor::ipc::ZmqContext context_;
  tractor::ipc::ZmqSocket socket_;
  std::vector<std::string> received_;
  trio::lowlevel::ParkingLot waiting_;
};

// A packet of a link over a stream of bytes, whatever its head says.
std::string packet(tractor::ipc::PacketHead const& head, std::string const& text = {});

// The first one of a peer that says it is `identity`.
std::string greeting(std::string const& identity);

// A stream socket connected to an endpoint, by which anything may be said.
class RawStream {
 public:
  explicit RawStream(std::string const& endpoint);
  RawStream(RawStream const&) = delete;
  RawStream& operator=(RawStream const&) = delete;
  ~RawStream();

  void write(std::string const& bytes);
  // Nothing more will be said.
  void hang_up();
  // What is there; never waits.
  std::string read_some();
  // What the other end says until it closes. A checkpoint.
  std::string read_to_end();

 private:
  int fd_;
};

}  // namespace ipc_test
