// SPDX-License-Identifier: BSL-1.0
#include "unix_door.hpp"

#include <tractor/wire_errors.hpp>
#include <trio/io.hpp>
#include <trio/time.hpp>

#include <exception>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include <unistd.h>

namespace tractor::ipc {

using namespace std::string_view_literals;

namespace {

// Of a greeting.
constexpr std::size_t longest_greeting = 1024;

constexpr auto talks_otherwise = "it does not talk as we do";

std::string_view text(Buffer const& bytes) {
  return {static_cast<char const*>(static_cast<void const*>(bytes.data())), bytes.size()};
}

// The first packet of a peer; empty if it hangs up instead. A checkpoint. Throws as a PacketReader.
std::optional<Packet> first_packet(int socket, PacketReader& reader) {
  for (;;) {
    trio::lowlevel::wait_readable(socket);
    if (reader.read_from(socket) == PacketReader::Read::ended) return {};
    if (auto packet = reader.next()) return packet;
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

// As a task: an error of it keeps from coming in who has not yet, and does no more.
void UnixDoor::serve(trio::SocketListener listener) {
  try {
    static_cast<void>(scope_.enter([&] { let_in_all(std::move(listener)); }));
  } catch (std::exception const& error) {
    if (shut_because_) return;
    shut_out("tractor: the listener of this link can let nobody in any more; its log says why"sv);
    report("nobody can be let in any more: ", error.what());
  } catch (...) {
    close(serving_cancelled);
    throw;
  }
}

void UnixDoor::let_in_all(trio::SocketListener listener) {
  std::vector<trio::SocketListener> listeners;
  listeners.push_back(std::move(listener));
  trio::serve_listeners(
      [this](trio::SocketStream& stream) {
        try {
          receive(stream);
        } catch (std::exception const& error) {
          report("could not let a peer in: ", error.what());
        }
      },
      std::move(listeners));
}

void UnixDoor::expect(std::string const& identity, std::shared_ptr<UnixConnection> connection) {
  if (shut_because_) return connection->fail(*shut_because_);
  guests_[identity].connection = std::move(connection);
}

void UnixDoor::receive(trio::SocketStream& stream) {
  PacketReader reader(longest_greeting);
  std::optional<Packet> greeting;
  auto const peer = credentials_of(stream.fd());
  if (!peer || peer->uid != geteuid()) return refuse(stream, "it is not known to be this user's");
  try {
    auto const read = trio::move_on_after(shared_->options.handshake_timeout,
                                          [&] { greeting = first_packet(stream.fd(), reader); });
    if (read.cut_short) return refuse(stream, "it did not say in time who it is");
  } catch (DecodeError const&) {
    return refuse(stream, talks_otherwise);
  }
  // Somebody who only asks whether there is a listener, or has thought better of it.
  if (!greeting || greeting->kind == PacketKind::end) return;
  auto const said = text(greeting->frame.header);
  if (greeting->kind != PacketKind::greeting || !said.starts_with(greeting_word))
    return refuse(stream, talks_otherwise);
  auto const guest = guests_.find(std::string(said.substr(greeting_word.size())));
  if (guest == guests_.end() || guest->second.is_in)
    return refuse(stream, "nobody of this identity is expected");
  guest->second.is_in = true;
  guest->second.connection->admit(std::move(stream), std::move(reader), endpoint_);
}

void UnixDoor::refuse(trio::SocketStream& stream, std::string_view why) {
  PacketWriter answer;
  answer.refuse();
  static_cast<void>(answer.write_to(stream.fd()));
  report("refused a stranger: ", why);
}

// Where there is no memory to say it, it is not said.
void UnixDoor::report(std::string_view what, std::string_view why) noexcept {
  try {
    shared_->options.report(std::string(endpoint_).append(": ").append(what).append(why));
  } catch (std::bad_alloc const&) {
    return;
  }
}

void UnixDoor::shut_out(Reason const& reason) {
  shut_because_ = reason;
  std::erase_if(guests_, [&](auto const& each) {
    Guest const& guest = each.second;
    if (!guest.is_in) guest.connection->fail(reason);
    return !guest.is_in;
  });
}

void UnixDoor::close(Reason const& reason) {
  if (!shut_because_) shut_because_ = reason;
  for (auto const& [identity, guest] : std::exchange(guests_, {})) guest.connection->fail(reason);
  scope_.cancel();
}

}  // namespace tractor::ipc
