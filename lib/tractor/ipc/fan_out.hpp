// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "transport_options.hpp"

#include <tractor/buffer.hpp>
#include <trio/nursery.hpp>
#include <trio/time.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace tractor::ipc {

// One sends to many, who each hear the topics they chose: an outlet and any number of intakes. What
// is sent for one topic is sent once, whoever hears it. A topic is any text without zero bytes.
//
// Nobody holds the outlet up: what an intake does not take in time, beyond a bound, it loses, the
// newest first. Nobody is told; stamps tell.

// What is known of every message that an outlet sends: numbers of the sender's choice.
struct Stamp {
  std::uint64_t of_topic = 0;
  std::uint64_t of_all = 0;
};

// Who is told of what becomes of an outlet, by a task of its nursery. Must neither wait nor throw;
// may use and close the outlet, but not destroy it.
class OutletReader {
 public:
  // An intake says something.
  virtual void on_said(std::span<std::byte const> text) = 0;

  // The first intake has chosen exactly this topic. Told before what it says after that.
  virtual void on_heard(std::string_view topic) = 0;

  // A topic has lost the last who had chosen exactly it: that one has left it, or is gone.
  virtual void on_unheard(std::string_view topic) = 0;

  // The tasks of the outlet were cancelled: nobody will be told anything any more.
  virtual void on_cancelled() = 0;

 protected:
  ~OutletReader() = default;
};

// Where intakes connect to. For the run's thread only; nothing is a checkpoint.
class Outlet {
 public:
  Outlet() = default;
  Outlet(Outlet const&) = delete;
  Outlet& operator=(Outlet const&) = delete;
  // As close(0s).
  virtual ~Outlet() = default;

  // What an intake must be told to connect here.
  virtual std::string const& endpoint() const = 0;

  // Sends to all who hear the topic; never waits.
  virtual void send(std::string_view topic, Stamp const& stamp, Buffer payload) = 0;

  // What was sent may still leave for `linger` at the most. Idempotent. Nobody is told any more.
  virtual void close(trio::Duration linger) = 0;
};

// Which topics a choice means.
enum class Match { exactly, beginning };

// As an OutletReader.
class IntakeReader {
 public:
  virtual void on_message(std::string_view topic, Stamp const& stamp, Buffer payload) = 0;

  // All that had arrived has been told.
  virtual void on_caught_up() = 0;

  // Nothing more will come, for this reason; all that had come was told.
  virtual void on_lost(std::string const& reason) = 0;

 protected:
  ~IntakeReader() = default;
};

// One that hears. One session: when it is over, it is. For the run's thread only; nothing is a
// checkpoint.
class Intake {
 public:
  Intake() = default;
  Intake(Intake const&) = delete;
  Intake& operator=(Intake const&) = delete;
  // As close().
  virtual ~Intake() = default;

  // From some time soon on; the outlet hears of it before it hears what is said afterwards.
  virtual void hear(std::string_view topic, Match match) = 0;
  // Undoes one hear().
  virtual void leave(std::string_view topic, Match match) = 0;

  // To the outlet, without bound: who says much must wait for answers.
  virtual void say(Buffer text) = 0;

  // Idempotent. Nothing is told any more.
  virtual void close() = 0;
};

// Makes outlets and intakes. Its tasks live in the nursery it was made with, which must outlive
// everything made here.
class FanOut {
 public:
  FanOut() = default;
  FanOut(FanOut const&) = delete;
  FanOut& operator=(FanOut const&) = delete;
  virtual ~FanOut() = default;

  // Opens an outlet, named `name` where the transport has names. Lets in whoever says `word`;
  // `queue` messages wait for an intake that is slow. Throws std::system_error or TransportClosed
  // with a sentence.
  virtual std::unique_ptr<Outlet> open_outlet(std::string const& name, std::string const& word,
                                              std::size_t queue, OutletReader& reader) = 0;

  // Begins to connect to the outlet at `endpoint`. Waits for nothing; not a checkpoint.
  virtual std::unique_ptr<Intake> open_intake(std::string const& endpoint, std::string const& word,
                                              IntakeReader& reader) = 0;

  // As Transport::process_ends().
  virtual void process_ends() noexcept = 0;
};

// By ZeroMQ's PUB/SUB. Throws TransportClosed.
std::unique_ptr<FanOut> make_fan_out(trio::Nursery& service, TransportOptions options);

}  // namespace tractor::ipc
