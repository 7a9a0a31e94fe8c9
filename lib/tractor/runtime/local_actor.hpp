// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "../ipc/transport.hpp"
#include "../spawn/spawner.hpp"
#include "specification.hpp"

#include <tractor/actor.hpp>
#include <tractor/expose.hpp>
#include <tractor/root_options.hpp>
#include <trio/cancelled.hpp>
#include <trio/event.hpp>
#include <trio/nursery.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace spdlog {
class logger;
}

namespace tractor {

namespace runtime {
class Peer;
class PrivateDirectory;
}  // namespace runtime

// Everything of the actor that this task belongs to; hangs on the task, never on the process. It
// works in a system task of its own, its service, which no cancellation of the user's scopes
// reaches: the links must still carry the answers of those being cancelled.
class LocalActor final : public Actor {
 public:
  // The root of a new tree.
  explicit LocalActor(RootOptions const& options);
  // A spawned one.
  explicit LocalActor(runtime::Specification const& specification);
  ~LocalActor();

  // The calling task's; throws NoRuntime if it has none.
  static LocalActor& current();
  static LocalActor* current_or_null();

  // Makes this the calling task's actor, and starts its service. A checkpoint.
  static std::shared_ptr<LocalActor> begin(std::shared_ptr<LocalActor> actor);
  // Cancels and awaits the tasks that peers started here, does the deferred clean-up, says goodbye
  // to the parent, and ends the service. Shielded; does each once. A checkpoint.
  void end();

  // Adds those of this program's functions that a parent, of this build or another, wants exposed.
  void expose(std::vector<wire::FunctionRef> const& functions, bool same_build);

  // Links up with the actor that spawned this one. Throws TransportClosed. A checkpoint.
  void join_parent(runtime::Specification const& specification);

  std::shared_ptr<runtime::Peer> const& parent_peer() const noexcept { return parent_; }

  // Somebody wants this actor to end: only its parent may.
  void cancel_requested_by(runtime::Peer& peer, ActorId const& canceller, std::string reason);
  // Ends the actor: what wait_cancelled waits for.
  void cancel(trio::CancelReason reason);

  bool is_cancelled() const noexcept { return cancelled_.is_set(); }

  // A checkpoint.
  void wait_cancelled() { cancelled_.wait(); }

  // A link for a child that will connect to endpoint() and say `identity`. Begins listening first,
  // if need be.
  std::unique_ptr<ipc::Link> expect_child(std::string const& identity);
  // What a child of this name is told. Its id has no pid yet.
  runtime::Specification specify_child(std::string name, std::string link_identity);
  spawn::Spawner& spawner();

  // Where tasks live that serve links and processes, and those that peers have started. Throw
  // RuntimeFailure when the service has ended.
  trio::Nursery& service_nursery();
  trio::Nursery& task_nursery();

  // What peers may call here.
  std::vector<Entry const*> const& exposed() const noexcept { return exposed_; }

  // Made when first asked for.
  std::shared_ptr<spdlog::logger> const& logger();

 private:
  void serve(trio::Event& started);
  void run_deferred();
  ipc::Transport& transport();

  TransportKind transport_kind_ = TransportKind::ipc;
  std::vector<Entry const*> exposed_;
  // Of the tree; the root owns it.
  std::string directory_;
  std::unique_ptr<runtime::PrivateDirectory> own_directory_;

  trio::Nursery* service_ = nullptr;
  trio::Nursery* tasks_ = nullptr;
  trio::Event tasks_ended_;
  trio::Event service_ended_;
  bool ending_ = false;
  trio::Event cancelled_;

  std::shared_ptr<spdlog::logger> logger_;
  std::unique_ptr<spawn::Spawner> spawner_;
  std::unique_ptr<ipc::Transport> transport_;
  std::unique_ptr<ipc::Listener> listener_;
  std::shared_ptr<runtime::Peer> parent_;
};

}  // namespace tractor
