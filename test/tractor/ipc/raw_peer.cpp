// SPDX-License-Identifier: BSL-1.0
#include "raw_peer.hpp"

#include <trio/io.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace ipc_test {

RawPeer::RawPeer(Scene& scene, std::string const& endpoint, std::string const& user,
                 std::string const& routing_id)
    : socket_(context_, zmq::socket_type::dealer) {
  if (!user.empty()) socket_.raw().set(zmq::sockopt::plain_username, user);
  if (!routing_id.empty()) socket_.raw().set(zmq::sockopt::routing_id, routing_id);
  socket_.raw().set(zmq::sockopt::probe_router, true);
  socket_.raw().connect(endpoint);
  socket_.start(scene.service, "raw peer", *this);
}

void RawPeer::send(std::vector<std::string> const& parts) {
  std::vector<zmq::message_t> messages(parts.begin(), parts.end());
  socket_.send(messages);
}

void RawPeer::on_message(std::span<zmq::message_t> parts) {
  received_.push_back(parts[0].to_string());
  waiting_.unpark_all();
}

std::string RawPeer::receive() {
  while (received_.empty()) waiting_.park();
  std::string first = std::move(received_.front());
  received_.erase(received_.begin());
  return first;
}

std::string packet(tractor::ipc::PacketHead const& head, std::string const& text) {
  auto const bytes = encode(head);
  return std::string(static_cast<char const*>(static_cast<void const*>(bytes.data())),
                     bytes.size()) +
         text;
}

std::string greeting(std::string const& identity) {
  auto const text = std::string(tractor::ipc::greeting_word) + identity;
  return packet({tractor::ipc::PacketKind::greeting, Lane::control,
                 static_cast<std::uint32_t>(text.size()), 0},
                text);
}

RawStream::RawStream(std::string const& endpoint) {
  sockaddr_storage address = {};
  socklen_t size = 0;
  if (endpoint.starts_with("ipc://")) {
    auto* local = static_cast<sockaddr_un*>(static_cast<void*>(&address));
    local->sun_family = AF_UNIX;
    endpoint.copy(local->sun_path, sizeof local->sun_path - 1, std::strlen("ipc://"));
    size = sizeof *local;
  } else {
    auto* internet = static_cast<sockaddr_in*>(static_cast<void*>(&address));
    auto const port = std::stoi(endpoint.substr(endpoint.rfind(':') + 1));
    internet->sin_family = AF_INET;
    internet->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    internet->sin_port = htons(static_cast<std::uint16_t>(port));
    size = sizeof *internet;
  }
  fd_ = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd_, static_cast<sockaddr*>(static_cast<void*>(&address)), size) != 0)
    throw std::system_error(errno, std::generic_category(), "connect");
}

RawStream::~RawStream() { close(fd_); }

void RawStream::write(std::string const& bytes) {
  // The other end may have hung up already.
  ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

void RawStream::hang_up() { shutdown(fd_, SHUT_WR); }

std::string RawStream::read_some() {
  std::string some(100'000, '\0');
  auto const size = recv(fd_, some.data(), some.size(), MSG_DONTWAIT);
  some.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return some;
}

std::string RawStream::read_to_end() {
  std::string all;
  std::array<char, 4096> some;
  for (;;) {
    trio::lowlevel::wait_readable(fd_);
    auto const size = read(fd_, some.data(), some.size());
    if (size <= 0) return all;
    all.append(some.data(), static_cast<std::size_t>(size));
  }
}

}  // namespace ipc_test
