// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "../spawn/spawner.hpp"
#include "specification.hpp"
#include "stderr_relay.hpp"

#include <tractor/actor_nursery.hpp>
#include <tractor/buffer.hpp>
#include <trio/event.hpp>
#include <trio/time.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <string>

namespace tractor {

class LocalActor;

namespace runtime {

class Peer;

// What became of the one task of a run_in_actor.
struct Outcome {
  trio::Event done = {};
  // One of the two, once done.
  Buffer result = {};
  std::exception_ptr error = {};
};

// An actor that we spawned: its process and the link with it. Its own tasks, in our service, see to
// it that the link is read, the process reaped and its standard error passed on, whatever happens
// to who uses it.
class Child : public std::enable_shared_from_this<Child> {
 public:
  // Starts the process. Throws SpawnError, std::invalid_argument. Not a checkpoint.
  static std::shared_ptr<Child> spawn(LocalActor& parent, std::string name,
                                      ActorOptions const& options);

  std::shared_ptr<Peer> const& peer() const noexcept { return peer_; }

  // Set when the process is reaped, all that it has started is dead if it did not end in good
  // order, and the link is over.
  trio::Event& gone() noexcept { return gone_; }

  // How it ended, if not as asked: ActorDied; null otherwise. Once gone.
  std::exception_ptr death() const noexcept { return death_; }

  // Makes it end, by asking, by SIGTERM, by SIGKILL, and waits until it is gone. Shielded. A
  // checkpoint.
  void stop(std::string reason);
  // No patience any more, if it is being stopped: SIGKILL. Not a checkpoint.
  void hurry() noexcept;

 private:
  Child(LocalActor& parent, ActorOptions const& options);

  void watch_process();
  void read_link();
  void watch_pulse();
  // Kills it: `cause` is the news.
  void end_because(std::string cause);
  // The same, and waits until it has ended. A checkpoint.
  void refuse_because(std::string cause);
  // Waits for its end, not longer than `patience` but while a debugger holds it; false if it lives.
  bool gone_within(trio::Duration patience);

  LocalActor& parent_;
  trio::Duration const spawn_timeout_;
  trio::Duration const cancel_timeout_;
  trio::Duration const terminate_timeout_;
  std::optional<trio::Duration> const unresponsive_after_;
  ActorId id_;
  std::shared_ptr<Peer> peer_;
  std::unique_ptr<spawn::Process> process_;
  std::optional<StderrRelay> stderr_;
  trio::Event exited_;
  // All was read that came over the link.
  trio::Event link_ended_;
  trio::Event gone_;
  std::exception_ptr death_;
  // We ended it by force, as we had wanted its end: how it died is no news.
  bool killed_by_us_ = false;
  // Why we ended it by force, if that is news.
  std::string cause_;
  bool stopping_ = false;
  // We wanted its end before it came.
  bool asked_ = false;
  bool hurried_ = false;
  // Gone, or hurried.
  trio::Event no_patience_;
};

}  // namespace runtime
}  // namespace tractor
