// SPDX-License-Identifier: BSL-1.0
#include "zmq_door.hpp"

#include "peer_credentials.hpp"
#include "quiet_thread.hpp"
#include "zmq_error.hpp"

#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include <unistd.h>

namespace tractor::ipc {

namespace {

// The parts of a ZAP request (ZeroMQ RFC 27) by PLAIN.
enum Part : std::size_t {
  version,
  request_id,
  domain,
  address,
  routing_id,
  mechanism,
  username,
  password,
  part_count
};

// The number at the beginning of `text`, which is taken off, as is the colon behind it.
std::optional<unsigned> take_number(std::string_view& text) {
  unsigned number = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return {};
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.starts_with(':')) text.remove_prefix(1);
  return number;
}

// Who the kernel says it is, as ZeroMQ tells it in a peer's address; empty if that is no Unix
// socket's.
std::optional<PeerCredentials> credentials_in(std::string_view peer_address) {
  constexpr std::string_view unix_socket = "localhost:";
  if (!peer_address.starts_with(unix_socket)) return {};
  peer_address.remove_prefix(unix_socket.size());
  auto const uid = take_number(peer_address);
  auto const gid = take_number(peer_address);
  auto const pid = take_number(peer_address);
  if (!uid || !gid || !pid) return {};
  return PeerCredentials{static_cast<uid_t>(*uid), static_cast<pid_t>(*pid)};
}

}  // namespace

ZmqDoor::ZmqDoor(zmq::context_t& context) : requests_(context, zmq::socket_type::rep) {
  requests_.set(zmq::sockopt::linger, 0);
  requests_.bind("inproc://zeromq.zap.01");
  thread_ = quiet_thread([this] { answer_all(); });
}

void ZmqDoor::expect(std::string const& domain, std::string const& user) {
  std::lock_guard const lock(mutex_);
  expected_.emplace(domain, user);
}

void ZmqDoor::forget(std::string const& domain, std::string const& user) {
  std::lock_guard const lock(mutex_);
  expected_.erase({domain, user});
}

void ZmqDoor::open(std::string const& domain, std::string const& user) {
  std::lock_guard const lock(mutex_);
  open_.emplace(domain, user);
}

void ZmqDoor::close(std::string const& domain, std::string const& user) {
  std::lock_guard const lock(mutex_);
  open_.erase({domain, user});
}

bool ZmqDoor::admits(std::span<zmq::message_t const> request) {
  if (request.size() != part_count || request[mechanism].to_string_view() != "PLAIN") return false;
  auto const peer = credentials_in(request[address].to_string_view());
  if (peer && peer->uid != geteuid()) return false;
  std::pair const visitor(request[domain].to_string(), request[username].to_string());
  std::lock_guard const lock(mutex_);
  return open_.contains(visitor) || expected_.erase(visitor) == 1;
}

void ZmqDoor::answer_all() {
  try {
    for (;;) {
      std::vector<zmq::message_t> request;
      do {
        uninterrupted([&] { return requests_.recv(request.emplace_back()); });
      } while (request.back().more());
      bool const admitted = admits(request);
      // RFC 27: version, request id, status, text, user id, metadata.
      std::array<zmq::message_t, 6> reply;
      reply[0] = zmq::message_t(std::string_view("1.0"));
      if (request.size() > request_id) reply[1].copy(request[request_id]);
      reply[2] = zmq::message_t(std::string_view(admitted ? "200" : "400"));
      if (admitted) reply[4].copy(request[username]);
      for (std::size_t i = 0; i < reply.size(); ++i)
        uninterrupted([&] {
          return requests_.send(
              reply[i], i + 1 < reply.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
        });
    }
  } catch (zmq::error_t const&) {
    // The context is shut down.
    requests_.close();
  }
}

}  // namespace tractor::ipc
