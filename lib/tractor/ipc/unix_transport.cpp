// SPDX-License-Identifier: BSL-1.0
#include "unix_transport.hpp"

#include "unix_connection.hpp"
#include "unix_door.hpp"
#include "unix_listening_socket.hpp"

#include <trio/descriptor.hpp>
#include <trio/socket_address.hpp>
#include <trio/socket_listener.hpp>

#include <chrono>
#include <stdexcept>
#include <utility>

namespace tractor::ipc {

namespace {

class UnixLink : public Link {
 public:
  explicit UnixLink(std::shared_ptr<UnixConnection> connection)
      : connection_(std::move(connection)) {}

  ~UnixLink() override { close(std::chrono::seconds(0)); }

  // Others may destroy this while a task waits.

  void wait_connected() override {
    auto const kept = connection_;
    kept->wait_connected();
  }

  Frame receive() override {
    auto const kept = connection_;
    return kept->receive();
  }

  void send(Lane lane, Frame frame) override { connection_->send(lane, std::move(frame)); }

  void close(trio::Duration linger) override { connection_->close(linger); }

  std::optional<PeerCredentials> credentials() const override { return connection_->credentials(); }

 private:
  std::shared_ptr<UnixConnection> const connection_;
};

class AcceptedUnixLink final : public UnixLink {
 public:
  AcceptedUnixLink(std::shared_ptr<UnixDoor> door, std::string identity,
                   std::shared_ptr<UnixConnection> connection)
      : UnixLink(connection), door_(std::move(door)), identity_(std::move(identity)) {
    door_->expect(identity_, std::move(connection));
  }

  ~AcceptedUnixLink() override { door_->forget(identity_); }

  void close(trio::Duration linger) override {
    door_->forget(identity_);
    UnixLink::close(linger);
  }

 private:
  std::shared_ptr<UnixDoor> const door_;
  std::string const identity_;
};

class UnixListener final : public Listener {
 public:
  UnixListener(std::shared_ptr<UnixShared const> shared, std::string const& name)
      : shared_(std::move(shared)),
        socket_(shared_->options.directory, name),
        endpoint_(socket_.endpoint()),
        door_(std::make_shared<UnixDoor>(shared_, endpoint_)) {
    door_->open(trio::SocketListener(trio::Descriptor(socket_.release())));
  }

  ~UnixListener() override { door_->close(listener_closed); }

  std::string const& endpoint() const override { return endpoint_; }

  std::unique_ptr<Link> expect(std::string const& identity) override {
    return std::make_unique<AcceptedUnixLink>(door_, identity,
                                              std::make_shared<UnixConnection>(shared_));
  }

 private:
  std::shared_ptr<UnixShared const> const shared_;
  UnixListeningSocket socket_;
  std::string const endpoint_;
  std::shared_ptr<UnixDoor> const door_;
};

class UnixTransport final : public Transport {
 public:
  UnixTransport(trio::Nursery& service, TransportOptions options)
      : shared_(std::make_shared<UnixShared>(UnixShared{service, std::move(options)})) {}

  std::unique_ptr<Listener> listen(std::string const& name) override {
    return std::make_unique<UnixListener>(shared_, name);
  }

  std::unique_ptr<Link> connect(std::string const& endpoint, std::string const& identity) override {
    if (!endpoint.starts_with(unix_scheme))
      throw TransportClosed("tractor: cannot connect to " + endpoint + ": it is no Unix socket");
    auto path = endpoint.substr(unix_scheme.size());
    try {
      trio::SocketAddress::unix_path(path);
    } catch (std::invalid_argument const& error) {
      throw TransportClosed("tractor: cannot connect to " + endpoint + ": " + error.what());
    }
    auto connection = std::make_shared<UnixConnection>(shared_);
    connection->dial(endpoint, std::move(path), identity);
    return std::make_unique<UnixLink>(std::move(connection));
  }

  void process_ends() noexcept override { shared_->process_ends = true; }

 private:
  std::shared_ptr<UnixShared> const shared_;
};

}  // namespace

std::unique_ptr<Transport> make_unix_transport(trio::Nursery& service, TransportOptions options) {
  return std::make_unique<UnixTransport>(service, std::move(options));
}

}  // namespace tractor::ipc
