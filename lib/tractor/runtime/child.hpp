// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "../spawn/spawner.hpp"
#include "specification.hpp"

#include <tractor/actor_nursery.hpp>
#include <tractor/buffer.hpp>
#include <trio/event.hpp>

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

// An actor that we spawned: its process and the link with it. Its own two tasks, in our service,
// see to it that the link is read and the process reaped, whatever happens to who uses it.
class Child : public std::enable_shared_from_this<Child> {
 public:
  // Starts the process. Throws SpawnError. Not a checkpoint.
  static std::shared_ptr<Child> spawn(LocalActor& parent, std::string name,
                                      ActorOptions const& options);

  std::shared_ptr<Peer> const& peer() const noexcept { return peer_; }

  // Set when the process is reaped and the link over.
  trio::Event& gone() noexcept { return gone_; }

  // How it ended, if not as asked: ActorDied; null otherwise. Once gone.
  std::exception_ptr death() const noexcept { return death_; }

  // Makes it end, by asking, by SIGTERM, by SIGKILL, and waits until it is gone. Shielded. A
  // checkpoint.
  void stop(std::string reason);

 private:
  explicit Child(ActorOptions const& options);

  void watch_process();
  void read_link();

  trio::Duration const spawn_timeout_;
  trio::Duration const cancel_timeout_;
  trio::Duration const terminate_timeout_;
  ActorId id_;
  std::shared_ptr<Peer> peer_;
  std::unique_ptr<spawn::Process> process_;
  trio::Event exited_;
  trio::Event gone_;
  std::exception_ptr death_;
  // We ended it by force: how it died is no news.
  bool killed_by_us_ = false;
};

}  // namespace runtime
}  // namespace tractor
