// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "peer_credentials.hpp"
#include "transport_options.hpp"

#include <tractor/buffer.hpp>
#include <tractor/errors.hpp>
#include <trio/nursery.hpp>
#include <trio/time.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

namespace tractor::ipc {

// Two queues that do not wait for each other: what must overtake bulk data goes by control. Order
// holds within a lane only.
enum class Lane : unsigned char { control, data };

// One message as it is carried. Who carries it knows neither part.
struct Frame {
  Buffer header;
  Buffer payload;
};

// One session with one peer, from its connecting to its end; never silently resumed. Owned and used
// by tasks of one run only.
class Link {
 public:
  Link() = default;
  Link(Link const&) = delete;
  Link& operator=(Link const&) = delete;
  // As close(0s).
  virtual ~Link() = default;

  // Waits until the peer is there and frames can be sent. A checkpoint. Throws TransportClosed.
  virtual void wait_connected() = 0;

  // Queues a frame, which leaves at once or when the run next looks for input: one that still waits
  // is lost if the process dies before. Never waits, not a checkpoint. Nothing bounds the queue
  // here: who sends without waiting for answers must bound what it sends. Throws TransportClosed,
  // std::bad_alloc.
  virtual void send(Lane lane, Frame frame) = 0;

  // The next frame, those of the control lane first. A checkpoint. Throws TransportClosed when the
  // session is over and all that had arrived was received. One task at a time.
  virtual Frame receive() = 0;

  // Ends the session; what was sent may still leave for `linger` at the most, in the background.
  // Idempotent; not a checkpoint. A receive() that waits throws TransportClosed.
  virtual void close(trio::Duration linger) = 0;

  // Known once connected, on transports where the kernel knows it.
  virtual std::optional<PeerCredentials> credentials() const = 0;
};

// Where peers that we expect connect to.
class Listener {
 public:
  Listener() = default;
  Listener(Listener const&) = delete;
  Listener& operator=(Listener const&) = delete;
  // Stops listening and closes the links made here; removes its name from the file system.
  virtual ~Listener() = default;

  // What a peer must be told to connect here.
  virtual std::string const& endpoint() const = 0;

  // Lets one peer in: the one that says it is `identity`, which only we and it know, and which is
  // never used twice. Everybody else is refused at the door. The link may outlive the listener, but
  // is then closed. Not a checkpoint.
  virtual std::unique_ptr<Link> expect(std::string const& identity) = 0;
};

// A way for actors to reach each other, by links. Its tasks live in the nursery it was made with,
// which must outlive everything made here.
class Transport {
 public:
  Transport() = default;
  Transport(Transport const&) = delete;
  Transport& operator=(Transport const&) = delete;
  virtual ~Transport() = default;

  // Opens a place to listen, named `name` where the transport has names. Throws std::system_error
  // or TransportClosed with a sentence.
  virtual std::unique_ptr<Listener> listen(std::string const& name) = 0;

  // Begins a session with the listener at `endpoint`, saying that we are `identity`. Waits for
  // nothing; not a checkpoint.
  virtual std::unique_ptr<Link> connect(std::string const& endpoint,
                                        std::string const& identity) = 0;

  // The process is about to end, and the peers will have received all that was sent: what is closed
  // from now on need not linger, or even be closed by us. Names in the file system still are
  // removed.
  virtual void process_ends() noexcept = 0;
};

// A transport of the kind that the options name: over Unix sockets that the run itself reads, or
// over ZeroMQ. Throws TransportClosed.
std::unique_ptr<Transport> make_transport(trio::Nursery& service, TransportOptions options);

}  // namespace tractor::ipc
