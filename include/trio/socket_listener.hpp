// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/descriptor.hpp>
#include <trio/detail/conflict_detector.hpp>
#include <trio/detail/stream_descriptor.hpp>
#include <trio/nursery.hpp>
#include <trio/socket_address.hpp>
#include <trio/socket_stream.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace trio {

namespace detail {
class SocketName;
}

// A listening socket, TCP or Unix: who connects to it is accepted as a SocketStream. Closes when
// destroyed. One task accepts at a time; for one run's thread only; not to be moved or destroyed
// while a task is in accept(), which close() ends. Mirrors trio.SocketListener.
class SocketListener {
 public:
  // Throws std::invalid_argument if it is no stream socket that listens, std::system_error if it is
  // not open.
  explicit SocketListener(Descriptor listening);
  SocketListener(SocketListener&& other) noexcept;
  SocketListener& operator=(SocketListener&& other) noexcept;
  ~SocketListener();

  // Waits for a connection. A checkpoint. Cancelled: none was taken. Passes over connections that
  // were gone before they were accepted. Throws std::system_error if the process or the machine has
  // run out of something (EMFILE, ENFILE, ENOBUFS, ENOMEM: it may pass), BusyResourceError if
  // another task is accepting, ClosedResourceError if the listener is closed (also meanwhile),
  // MisuseError outside a task.
  SocketStream accept();

  // Stops listening; whoever has not been accepted is refused. A Unix socket's name is removed from
  // the file system, if it is still its own. Idempotent; not a checkpoint.
  void close();

  // Where it listens: with the port that the kernel chose. Not a checkpoint. Throws
  // ClosedResourceError if it is closed.
  SocketAddress local_address() const;

  // The descriptor, still the listener's own, for socket options; -1 if it is closed.
  int fd() const noexcept { return fd_.get(); }

 private:
  friend SocketListener open_unix_listener(std::string const& path, int backlog);

  detail::StreamDescriptor fd_;
  // Null if it has none to remove.
  std::unique_ptr<detail::SocketName> name_;
  detail::ConflictDetector accepting_;
};

// Connections that have not been accepted yet, at the most: as many as the system allows.
inline constexpr int largest_backlog = 65535;

// Listens at `path` as a Unix socket; see SocketAddress::unix_path. A name that a dead process left
// behind is taken over; one that somebody still has, or that is no socket, is not (EADDRINUSE,
// EEXIST). The socket gets the permissions that the process's umask leaves; a relative path is
// removed only from where it was bound. The directory is locked (flock) meanwhile: in one that
// strangers may open, they can make this wait, so bound it by fail_after. A checkpoint. Throws
// std::system_error if it cannot be had.
SocketListener open_unix_listener(std::string const& path, int backlog = largest_backlog);

// What serves a connection, in a task of its own; the stream is closed when it ends.
using StreamHandler = std::function<void(SocketStream&)>;

// Accepts connections, and has each served by `handler(stream)` in a task of its own, until
// cancelled. Never returns, unless there are no listeners, which it closes in the end. When the
// process or the machine has run out of descriptors or memory, tries again every 100 ms.
//
// If a handler throws, it all ends with that error, in an exception group: a handler that must not
// end the server catches its own errors. Handlers run in `handler_nursery`, if it is not null: to
// stop accepting and let those that are being served finish, cancel this and not that. Reports to
// nursery.start() where it listens. A checkpoint. Mirrors trio.serve_listeners.
void serve_listeners(StreamHandler handler, std::vector<SocketListener> listeners,
                     Nursery* handler_nursery = nullptr,
                     TaskStatus<std::vector<SocketAddress>>& status =
                         task_status_ignored<std::vector<SocketAddress>>);

// Serves at a Unix socket: open_unix_listener() and serve_listeners() in one, the handlers in a
// nursery of its own. For one of yours, which lets them finish, call those two.
//
//   nursery.start(trio::serve_unix, echo, "/run/echo");
void serve_unix(StreamHandler handler, std::string const& path,
                TaskStatus<std::vector<SocketAddress>>& status =
                    task_status_ignored<std::vector<SocketAddress>>);

}  // namespace trio
