// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "inbox.hpp"
#include "packet_reader.hpp"
#include "packet_writer.hpp"
#include "transport.hpp"
#include "unix_shared.hpp"

#include <trio/cancel_scope.hpp>
#include <trio/socket_stream.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace tractor::ipc {

// One end of a link, whichever, and the Unix socket that carries it: read and written by tasks of
// the service nursery, which keep it alive. For the run's thread only.
//
// The first few frames since the run has looked for input are written at once: somebody may wait
// for them, and who has sent them may go on to compute. Those after them leave together, when the
// run looks again.
class UnixConnection : public std::enable_shared_from_this<UnixConnection> {
 public:
  explicit UnixConnection(std::shared_ptr<UnixShared const> shared);

  // One of these two, once.

  // Connects, in the background, to the listener at `endpoint`, whose socket is at `path`, saying
  // that we are `identity`.
  void dial(std::string endpoint, std::string path, std::string identity);
  // Begins with a peer that was let in at `endpoint`; `reader` may hold more of what it has sent.
  // Where that cannot be, the link fails and this throws.
  void admit(trio::SocketStream stream, PacketReader reader, std::string const& endpoint);

  // As those of Link. Whoever waits must keep this alive.

  void wait_connected() { inbox_.wait_connected(); }

  void send(Lane lane, Frame frame);

  Frame receive() { return inbox_.receive(); }

  void close(trio::Duration linger);

  std::optional<PeerCredentials> credentials() const noexcept { return credentials_; }

  // The link is over, and the peer is told if it can be at once. What has come may still be
  // received.
  void fail(Reason reason);

 private:
  bool is_over() const noexcept { return inbox_.is_finished(); }

  void connect(std::string const& path);
  void open(trio::SocketStream stream);

  void serve_soon(std::function<void()> body);
  void converse();
  void take_whole_packets();
  void take(Packet packet);
  // What the peer sent breaks the rules.
  void cut(std::string const& what);
  void lose();
  void finish(Reason reason);
  void fail_for_caught();

  void leave_soon();
  void flush();
  bool write_some();
  // As a task.
  void write_rest();
  void bound_writing();
  // As far as it can be said at once.
  void say_end();
  void hang_up();

  std::shared_ptr<UnixShared const> const shared_;
  // For who reads of it: the endpoint that was dialled, or who has come to ours.
  std::string peer_;
  Inbox inbox_;
  PacketReader reader_;
  PacketWriter writer_;
  std::optional<trio::SocketStream> stream_;
  std::optional<PeerCredentials> credentials_;
  // Of connecting, if we dial.
  std::optional<trio::CancelScope> dialling_;
  // How often the run had looked for input when a frame was sent last, and how many have left at
  // once since.
  std::uint64_t looks_ = 0;
  int sent_at_once_ = 0;
  // The socket may hold more than was read.
  bool more_to_read_ = true;
  // converse() waits for the socket: the run can be asked to wake it.
  bool parked_ = false;
  // Nobody reads at the other end any more.
  bool unread_ = false;
  // write_rest() is at work, or will be; its scope, once it is.
  bool writing_ = false;
  trio::CancelScope* writing_scope_ = nullptr;
  // Closed, but until then it may be written.
  std::optional<trio::Time> linger_until_;
};

}  // namespace tractor::ipc
