// SPDX-License-Identifier: BSL-1.0
#include "unix_connection.hpp"

#include <tractor/wire_errors.hpp>
#include <trio/errors.hpp>
#include <trio/io.hpp>
#include <trio/lowlevel.hpp>

#include <exception>
#include <new>
#include <system_error>
#include <utility>

#include <sys/socket.h>

namespace tractor::ipc {

using namespace std::string_view_literals;

namespace {

// How many frames may each cost a call before the run looks for input again.
constexpr int writes_at_once = 4;

// What the kernel may hold of what was written, as far as it lets us: the less it is, the more
// often two processes that pass on much must wait for each other. Bytes.
constexpr int most_unread = 1 << 20;

}  // namespace

UnixConnection::UnixConnection(std::shared_ptr<UnixShared const> shared)
    : shared_(std::move(shared)), reader_(shared_->largest_frame()) {}

// ------------------------------------------------------------------------------- its beginning

void UnixConnection::dial(std::string endpoint, std::string path, std::string identity) {
  peer_ = std::move(endpoint);
  dialling_.emplace();
  serve_soon([this, path = std::move(path), identity = std::move(identity)] {
    connect(path);
    if (is_over()) return;
    writer_.greet(identity);
    converse();
  });
}

void UnixConnection::connect(std::string const& path) {
  try {
    static_cast<void>(dialling_->enter([&] {
      auto stream = trio::open_unix_socket(path);
      if (!is_over()) open(std::move(stream));
    }));
  } catch (std::system_error const& error) {
    bool const nobody = error.code() == std::errc::no_such_file_or_directory ||
                        error.code() == std::errc::connection_refused;
    finish(nobody ? "tractor: nobody listens at " + peer_
                  : "tractor: cannot connect to " + peer_ + ": " + error.code().message());
  }
}

void UnixConnection::admit(trio::SocketStream stream, PacketReader reader,
                           std::string const& endpoint) {
  try {
    open(std::move(stream));
    peer_ = "process " + std::to_string(credentials_->pid) + " at " + endpoint;
    reader_ = std::move(reader);
    reader_.set_limit(shared_->largest_frame());
    writer_.welcome();
    serve_soon([this] { converse(); });
    inbox_.set_connected();
  } catch (std::exception const&) {
    fail_for_caught();
    throw;
  }
}

// Whatever leaves `body` ends the link, and no more. (A task that gets no stack ends its nursery.)
void UnixConnection::serve_soon(std::function<void()> body) {
  shared_->service.start_soon({.name = "reading from " + peer_},
                              [self = shared_from_this(), body = std::move(body)] {
                                try {
                                  body();
                                } catch (std::exception const&) {
                                  self->fail_for_caught();
                                } catch (...) {
                                  self->fail(serving_cancelled);
                                  throw;
                                }
                              });
}

void UnixConnection::open(trio::SocketStream stream) {
  credentials_ = credentials_of(stream.fd());
  setsockopt(stream.fd(), SOL_SOCKET, SO_SNDBUF, &most_unread, sizeof most_unread);
  stream_ = std::move(stream);
}

// --------------------------------------------------------------------------------- what comes in

void UnixConnection::converse() {
  for (;;) {
    take_whole_packets();
    if (!is_over()) flush();
    if (is_over()) return;
    if (std::exchange(more_to_read_, false)) {
      trio::lowlevel::checkpoint();
    } else {
      parked_ = true;
      trio::lowlevel::wait_readable(stream_->fd());
      parked_ = false;
    }
    if (is_over()) return;
    auto const read = reader_.read_from(stream_->fd());
    if (read == PacketReader::Read::ended) return lose();
    more_to_read_ = read == PacketReader::Read::some;
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
  if (packet.kind == PacketKind::end) return inbox_.is_connected() ? finish(closed_there) : lose();
  if (inbox_.is_connected()) {
    if (packet.kind == PacketKind::frame) return inbox_.push(packet.lane, std::move(packet.frame));
  } else {
    if (packet.kind == PacketKind::welcome) return inbox_.set_connected();
    if (packet.kind == PacketKind::refusal)
      return finish("tractor: refused by the listener at " + peer_ +
                    ": it expects nobody of this identity, or no longer");
  }
  throw DecodeError("a packet that has no place here");
}

void UnixConnection::cut(std::string const& what) {
  std::string const sentence = peer_ + " sent what is no message of ours: " + what;
  shared_->options.report(sentence);
  if (inbox_.is_connected())
    fail("tractor: the link was cut: " + sentence);
  else
    finish("tractor: what listens at " + peer_ + " does not talk as we do");
}

void UnixConnection::lose() {
  if (inbox_.is_connected())
    finish("tractor: the connection with " + peer_ +
           " is gone: the process there has ended, or gave the link up");
  else
    finish("tractor: the listener at " + peer_ +
           " went, or gave the link up, before it had let this process in");
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
    leave_soon();
}

// When the run looks for input, what has gathered leaves.
void UnixConnection::leave_soon() {
  try {
    trio::lowlevel::notify_readable_soon(stream_->fd());
  } catch (std::bad_alloc const&) {
    flush();
  }
}

void UnixConnection::flush() {
  if (writing_ || writer_.empty()) return;
  try {
    if (!write_some()) return;
    shared_->service.start_soon({.name = "writing to " + peer_},
                                [self = shared_from_this()] { self->write_rest(); });
    writing_ = true;
  } catch (std::exception const&) {
    fail_for_caught();
  }
}

// False: nothing is left to be written.
bool UnixConnection::write_some() {
  auto const written = writer_.write_to(stream_->fd());
  if (written == PacketWriter::Written::unread) {
    // What it had sent before may still be unread here: only the end of that tells that the link is
    // over.
    unread_ = true;
    writer_.clear();
  }
  return written == PacketWriter::Written::some;
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
  try {
    bound_writing();
    static_cast<void>(scope.enter([&] {
      // It may have been closed before this has begun.
      while (stream_->fd() >= 0) {
        trio::lowlevel::wait_writable(stream_->fd());
        if (!write_some()) return;
      }
    }));
  } catch (std::exception const&) {
    fail_for_caught();
  }
}

// --------------------------------------------------------------------------------------- its end

void UnixConnection::close(trio::Duration linger) {
  bool const was_over = is_over();
  inbox_.finish_at_once(closed_here);
  if (was_over) return;
  // To a peer that never came there is nothing to say.
  if (!stream_) return hang_up();
  if (linger <= std::chrono::seconds(0) || shared_->process_ends) {
    say_end();
    return hang_up();
  }
  writer_.end();
  flush();
  if (!writing_) return hang_up();
  linger_until_ = trio::after(trio::current_time(), linger);
  try {
    bound_writing();
  } catch (std::bad_alloc const&) {
    // What is not bounded must not linger.
    hang_up();
  }
}

void UnixConnection::bound_writing() {
  if (!linger_until_ || !writing_scope_) return;
  writing_scope_->set_deadline(*linger_until_);
  writing_scope_->set_shield(true);
}

void UnixConnection::fail(Reason reason) {
  if (is_over()) return;
  if (stream_) say_end();
  finish(std::move(reason));
}

// In a handler: the link fails for what was caught, though there be no memory to say so.
void UnixConnection::fail_for_caught() {
  try {
    try {
      throw;
    } catch (std::bad_alloc const&) {
      throw;
    } catch (trio::ClosedResourceError const&) {
      // It was closed here.
    } catch (DecodeError const& error) {
      cut(error.what());
    } catch (std::exception const& error) {
      fail("tractor: the link with " + peer_ + " has failed: " + error.what());
    }
  } catch (std::bad_alloc const&) {
    fail("tractor: no memory is left for this link"sv);
  }
}

void UnixConnection::say_end() {
  writer_.end();
  if (writing_) return;
  try {
    static_cast<void>(writer_.write_to(stream_->fd()));
  } catch (std::exception const&) {
    // That the connection ends will say it.
  }
}

void UnixConnection::finish(Reason reason) {
  inbox_.finish(std::move(reason));
  hang_up();
}

void UnixConnection::hang_up() {
  writer_.clear();
  reader_ = PacketReader(shared_->largest_frame());
  if (stream_) return stream_->close();
  if (!dialling_) return;
  try {
    dialling_->cancel();
  } catch (std::bad_alloc const&) {
    // Then it finds out when it has connected.
  }
}

}  // namespace tractor::ipc
