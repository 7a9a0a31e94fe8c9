// SPDX-License-Identifier: BSL-1.0
#include "unix_connection.hpp"

#include <tractor/wire_errors.hpp>
#include <trio/errors.hpp>
#include <trio/io.hpp>
#include <trio/lowlevel.hpp>

#include <cerrno>
#include <new>
#include <system_error>
#include <utility>

#include <sys/socket.h>
#include <sys/uio.h>

namespace tractor::ipc {

namespace {

constexpr auto serving_cancelled = "tractor: the tasks that serve this link were cancelled";

// How many frames may each cost a call before the run looks for input again.
constexpr int writes_at_once = 4;

// What the kernel may hold of what was written, as far as it lets us: the less it is, the more
// often two processes that pass on much must wait for each other. Bytes.
constexpr int most_unread = 1 << 20;

// Fails the link, unless it is over, when the task ends that serves it.
struct ServingEnds {
  UnixConnection& connection;

  ~ServingEnds() { connection.fail(serving_cancelled); }
};

}  // namespace

UnixConnection::UnixConnection(std::shared_ptr<UnixShared const> shared)
    : shared_(std::move(shared)), reader_(shared_->largest_frame()) {}

// ------------------------------------------------------------------------------- its beginning

void UnixConnection::dial(std::string path, std::string identity) {
  peer_ = "ipc://" + path;
  shared_->service.start_soon(
      {.name = "reading from " + peer_},
      [self = shared_from_this(), path = std::move(path), identity = std::move(identity)] {
        ServingEnds const end{*self};
        self->connect_and_serve(path, identity);
      });
}

void UnixConnection::connect_and_serve(std::string const& path, std::string const& identity) {
  try {
    auto stream = trio::open_unix_socket(path);
    if (is_over()) return;
    open(std::move(stream));
  } catch (std::system_error const& error) {
    bool const nobody = error.code() == std::errc::no_such_file_or_directory ||
                        error.code() == std::errc::connection_refused;
    return finish(nobody ? "tractor: nobody listens at " + peer_
                         : "tractor: cannot connect to " + peer_ + ": " + error.code().message());
  }
  writer_.greet(identity);
  serve();
}

void UnixConnection::admit(trio::SocketStream stream, PacketReader reader,
                           std::string const& endpoint) {
  peer_ = "one who came to " + endpoint;
  open(std::move(stream));
  reader_ = std::move(reader);
  reader_.set_limit(shared_->largest_frame());
  writer_.welcome();
  inbox_.set_connected();
  shared_->service.start_soon({.name = "reading from " + peer_}, [self = shared_from_this()] {
    ServingEnds const end{*self};
    self->serve();
  });
}

void UnixConnection::open(trio::SocketStream stream) {
  credentials_ = credentials_of(stream.fd());
  setsockopt(stream.fd(), SOL_SOCKET, SO_SNDBUF, &most_unread, sizeof most_unread);
  stream_ = std::move(stream);
}

// --------------------------------------------------------------------------------- what comes in

void UnixConnection::serve() {
  try {
    take_whole_packets();
    while (!is_over()) {
      flush();
      if (std::exchange(more_to_read_, false)) {
        trio::lowlevel::checkpoint();
      } else {
        parked_ = true;
        trio::lowlevel::wait_readable(stream_->fd());
        parked_ = false;
      }
      read_some();
      take_whole_packets();
    }
  } catch (trio::ClosedResourceError const&) {
    // It was closed here.
  } catch (DecodeError const& error) {
    cut(std::string("a peer sent what is no message of ours: ") + error.what());
  } catch (std::bad_alloc const&) {
    cut("no memory is left for what a peer sends");
  }
}

void UnixConnection::read_some() {
  if (is_over()) return;
  auto const room = reader_.room();
  std::size_t asked = 0;
  for (auto const& part : room) asked += part.iov_len;
  auto const got = readv(stream_->fd(), room.data(), static_cast<int>(room.size()));
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    more_to_read_ = errno == EINTR;
  } else if (got <= 0) {
    lose();
  } else {
    more_to_read_ = static_cast<std::size_t>(got) == asked;
    reader_.filled(static_cast<std::size_t>(got));
  }
}

void UnixConnection::take_whole_packets() {
  while (!is_over()) {
    auto packet = reader_.next();
    if (!packet) return;
    take(std::move(*packet));
  }
}

void UnixConnection::take(Packet packet) {
  if (packet.kind == PacketKind::end) return finish("tractor: the other end closed the link");
  if (inbox_.is_connected()) {
    if (packet.kind == PacketKind::frame) return inbox_.push(packet.lane, std::move(packet.frame));
  } else {
    if (packet.kind == PacketKind::welcome) return inbox_.set_connected();
    if (packet.kind == PacketKind::refusal)
      return finish("tractor: refused by the listener at " + peer_ +
                    ": it expects nobody of this identity, or no longer");
  }
  throw DecodeError("tractor: a packet that has no place here");
}

void UnixConnection::cut(std::string const& what) {
  shared_->options.report(what);
  if (inbox_.is_connected())
    fail("tractor: the link was cut: " + what);
  else
    finish("tractor: what listens at " + peer_ + " does not talk as we do");
}

void UnixConnection::lose() {
  if (!inbox_.is_connected())
    finish("tractor: the listener at " + peer_ + " went before it had let this process in");
  else
    finish("tractor: the connection with " + peer_ + " is gone: the process there has ended");
}

// ----------------------------------------------------------------------------------- what leaves

void UnixConnection::send(Lane lane, Frame frame) {
  inbox_.throw_if_finished();
  if (!inbox_.is_connected())
    throw TransportClosed("tractor: this link is not connected yet; call wait_connected() first");
  if (unread_)
    throw TransportClosed("tractor: the connection to the other end of the link is gone");
  writer_.push(lane, std::move(frame));
  if (writing_) return;
  auto const looks = trio::lowlevel::looks_for_input();
  if (std::exchange(looks_, looks) != looks) sent_at_once_ = 0;
  if (writer_.is_due() || sent_at_once_++ < writes_at_once)
    flush();
  else if (parked_)
    trio::lowlevel::notify_readable_soon(stream_->fd());
}

void UnixConnection::flush() {
  if (writing_ || writer_.empty()) return;
  switch (writer_.write_to(stream_->fd())) {
    case PacketWriter::Written::all:
      break;
    case PacketWriter::Written::some:
      shared_->service.start_soon({.name = "writing to " + peer_},
                                  [self = shared_from_this()] { self->write_rest(); });
      writing_ = true;
      break;
    case PacketWriter::Written::failed:
      lose_reader();
      break;
  }
}

// What it had sent before may still be unread: only the end of that tells that the link is over.
void UnixConnection::lose_reader() {
  unread_ = true;
  writer_.clear();
}

void UnixConnection::write_rest() {
  trio::CancelScope scope;

  struct End {
    UnixConnection& connection;

    ~End() {
      connection.writing_scope_ = nullptr;
      connection.writing_ = false;
      if (connection.linger_until_) connection.hang_up();
    }
  } const end{*this};

  writing_scope_ = &scope;
  bound_writing();
  static_cast<void>(scope.enter([&] {
    try {
      // It may have been closed before this has begun.
      while (stream_->fd() >= 0) {
        trio::lowlevel::wait_writable(stream_->fd());
        if (writer_.write_to(stream_->fd()) != PacketWriter::Written::some) return;
      }
    } catch (trio::ClosedResourceError const&) {
      // There is nothing to be written any more.
    }
  }));
}

// --------------------------------------------------------------------------------------- its end

void UnixConnection::close(trio::Duration linger) {
  bool const was_over = is_over();
  inbox_.finish_at_once("tractor: the link was closed at this end");
  // To a peer that has gone, or never came, there is nothing to say.
  if (was_over || !stream_) return;
  if (linger <= std::chrono::seconds(0) || shared_->process_ends) {
    say_end();
    return hang_up();
  }
  writer_.end();
  flush();
  if (!writing_) return hang_up();
  linger_until_ = trio::after(trio::current_time(), linger);
  bound_writing();
}

void UnixConnection::bound_writing() {
  if (!linger_until_ || !writing_scope_) return;
  writing_scope_->set_deadline(*linger_until_);
  writing_scope_->set_shield(true);
}

void UnixConnection::fail(std::string reason) {
  if (is_over()) return;
  if (stream_) say_end();
  finish(std::move(reason));
}

void UnixConnection::say_end() {
  writer_.end();
  if (!writing_) static_cast<void>(writer_.write_to(stream_->fd()));
}

void UnixConnection::finish(std::string reason) {
  inbox_.finish(std::move(reason));
  hang_up();
}

void UnixConnection::hang_up() {
  writer_.clear();
  if (stream_) stream_->close();
}

}  // namespace tractor::ipc
