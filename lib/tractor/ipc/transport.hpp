// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "fan_out.hpp"

#include <tractor/buffer.hpp>
#include <tractor/errors.hpp>
#include <trio/nursery.hpp>
#include <trio/time.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include <sys/types.h>

namespace tractor::ipc {

// Two queues that do not wait for each other: what must overtake bulk data goes by control. Order
// holds within a lane only.
enum class Lane : unsigned char { control, data };

// What a message may weigh, header and payload, in bytes: a peer that sends more loses its link.
inline constexpr std::size_t max_message_size = std::size_t(1) << 30;

// One message as it is carried. Who carries it knows neither part.
struct Frame {
  Buffer header;
  Buffer payload;
};

// Who is at the other end, as the kernel says (not the peer).
struct PeerCredentials {
  uid_t uid = 0;
  pid_t pid = 0;
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

  // Queues a frame; never waits, not a checkpoint. Nothing bounds the queue here: who sends without
  // waiting for answers must bound what it sends. Throws TransportClosed.
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

// A way for actors to reach each other. Its tasks live in the nursery it was made with, which must
// outlive everything made here.
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

  // Opens an outlet, named as a listener is. Lets in whoever says `word`; `queue` messages wait for
  // an intake that is slow. Throws as listen() does.
  virtual std::unique_ptr<Outlet> open_outlet(std::string const& name, std::string const& word,
                                              std::size_t queue, OutletReader& reader) = 0;

  // Begins to connect to the outlet at `endpoint`. Waits for nothing; not a checkpoint.
  virtual std::unique_ptr<Intake> open_intake(std::string const& endpoint, std::string const& word,
                                              IntakeReader& reader) = 0;

  // The process is about to end, and the peers will have received all that was sent: what is closed
  // from now on need not linger, or even be closed by us. Names in the file system still are
  // removed.
  virtual void process_ends() noexcept = 0;
};

}  // namespace tractor::ipc
