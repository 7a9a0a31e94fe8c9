// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "unix_connection.hpp"

#include <trio/cancel_scope.hpp>
#include <trio/socket_listener.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace tractor::ipc {

// Decides who may connect to a listener over Unix sockets, by a task of the service nursery that
// keeps this alive: processes of this user, that say the identity of one who is expected. For the
// run's thread only.
class UnixDoor : public std::enable_shared_from_this<UnixDoor> {
 public:
  UnixDoor(std::shared_ptr<UnixShared const> shared, std::string endpoint)
      : shared_(std::move(shared)), endpoint_(std::move(endpoint)) {}

  // Starts the task; once.
  void open(trio::SocketListener listener);

  // Lets in, once, whoever says this identity: as this connection.
  void expect(std::string const& identity, std::shared_ptr<UnixConnection> connection);

  // Its link is closed.
  void forget(std::string const& identity) { guests_.erase(identity); }

  // Ends all links, for this reason, and lets nobody in any more; who is expected after that has a
  // link that is over. Idempotent.
  void close(Reason const& reason);

 private:
  struct Guest {
    std::shared_ptr<UnixConnection> connection;
    bool is_in = false;
  };

  void serve(trio::SocketListener listener);
  void let_in_all(trio::SocketListener listener);
  void shut_out(Reason const& reason);
  void receive(trio::SocketStream& stream);
  void refuse(trio::SocketStream& stream, std::string_view why);
  void report(std::string_view what, std::string_view why) noexcept;

  std::shared_ptr<UnixShared const> const shared_;
  std::string const endpoint_;
  std::unordered_map<std::string, Guest> guests_;
  // Of the task.
  trio::CancelScope scope_;
  std::optional<Reason> shut_because_;
};

}  // namespace tractor::ipc
