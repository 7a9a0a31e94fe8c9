// SPDX-License-Identifier: BSL-1.0
#include "unix_door.hpp"

#include <tractor/wire_errors.hpp>
#include <trio/errors.hpp>

#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include <unistd.h>

namespace tractor::ipc {

namespace {

// Of a greeting.
constexpr std::size_t longest_greeting = 1024;

constexpr auto talks_otherwise = "it does not talk as we do";

std::string_view text(Buffer const& bytes) {
  return {static_cast<char const*>(static_cast<void const*>(bytes.data())), bytes.size()};
}

// The first packet of a peer; empty if it hangs up instead. A checkpoint. Throws DecodeError,
// trio::BrokenResourceError.
std::optional<Packet> first_packet(trio::SocketStream& stream, PacketReader& reader) {
  for (;;) {
    if (auto packet = reader.next()) return packet;
    auto const room = reader.room().front();
    auto const size =
        stream.receive_some(std::span(static_cast<char*>(room.iov_base), room.iov_len));
    if (size == 0) return {};
    reader.filled(size);
  }
}

}  // namespace

void UnixDoor::open(trio::SocketListener listener) {
  shared_->service.start_soon(
      {.name = "listening at " + endpoint_},
      [self = shared_from_this(), listener = std::move(listener)]() mutable {
        self->serve(std::move(listener));
      });
}

void UnixDoor::serve(trio::SocketListener listener) {
  trio::CancelScope scope;

  struct End {
    UnixDoor& door;

    ~End() {
      door.scope_ = nullptr;
      door.close("tractor: the tasks that serve this link were cancelled");
    }
  } const end{*this};

  if (closed_) return;
  scope_ = &scope;
  static_cast<void>(scope.enter([&] {
    std::vector<trio::SocketListener> listeners;
    listeners.push_back(std::move(listener));
    trio::serve_listeners(
        [this](trio::SocketStream& stream) {
          try {
            receive(stream);
          } catch (std::exception const& error) {
            shared_->options.report(endpoint_ + ": could not let a peer in: " + error.what());
          }
        },
        std::move(listeners));
  }));
}

void UnixDoor::expect(std::string const& identity, std::shared_ptr<UnixConnection> connection) {
  guests_[identity].connection = std::move(connection);
}

void UnixDoor::receive(trio::SocketStream& stream) {
  PacketReader reader(longest_greeting);
  std::optional<Packet> greeting;
  try {
    auto const peer = credentials_of(stream.fd());
    if (peer && peer->uid != geteuid()) return refuse(stream, "it is another user's");
    auto const read = trio::move_on_after(shared_->options.handshake_timeout,
                                          [&] { greeting = first_packet(stream, reader); });
    if (read.cut_short) return refuse(stream, "it did not say in time who it is");
  } catch (DecodeError const&) {
    return refuse(stream, talks_otherwise);
  } catch (trio::BrokenResourceError const&) {
    return;
  }
  // Somebody who only asks whether there is a listener.
  if (!greeting) return;
  auto const said = text(greeting->frame.header);
  if (greeting->kind != PacketKind::greeting || !said.starts_with(greeting_word))
    return refuse(stream, talks_otherwise);
  auto const guest = guests_.find(std::string(said.substr(greeting_word.size())));
  if (guest == guests_.end() || guest->second.is_in)
    return refuse(stream, "nobody of this identity is expected");
  guest->second.is_in = true;
  guest->second.connection->admit(std::move(stream), std::move(reader), endpoint_);
}

void UnixDoor::refuse(trio::SocketStream& stream, std::string const& why) {
  PacketWriter answer;
  answer.refuse();
  static_cast<void>(answer.write_to(stream.fd()));
  shared_->options.report(endpoint_ + ": refused a stranger: " + why);
}

void UnixDoor::close(std::string const& reason) {
  if (std::exchange(closed_, true)) return;
  if (scope_) scope_->cancel();
  for (auto const& [identity, guest] : std::exchange(guests_, {})) guest.connection->fail(reason);
}

}  // namespace tractor::ipc
