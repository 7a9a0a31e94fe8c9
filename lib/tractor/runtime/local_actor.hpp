// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "../ipc/fan_out.hpp"
#include "../ipc/transport.hpp"
#include "../spawn/inherited_specification.hpp"
#include "../spawn/spawner.hpp"
#include "specification.hpp"
#include "stderr_relay.hpp"

#include <tractor/actor.hpp>
#include <tractor/expose.hpp>
#include <tractor/root_options.hpp>
#include <trio/cancelled.hpp>
#include <trio/descriptor.hpp>
#include <trio/event.hpp>
#include <trio/lock.hpp>
#include <trio/nursery.hpp>
#include <trio/parking_lot.hpp>
#include <trio/task_tree.hpp>

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace trio {
class CancelScope;
}

namespace spdlog {
class logger;
}

namespace tractor {

namespace runtime {
class Peer;
class Child;
class PrivateDirectory;
class SignalWatch;
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
  // Cancels and awaits the tasks that peers started here, does the deferred clean-up, ends the
  // children that still live, says goodbye to the parent, and ends the service: each once, to its
  // end, whatever interrupts the caller. Shielded; throws only the Interrupted that it met, at its
  // end. A checkpoint.
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
  // Somebody presses: children that are being ended are killed at once. Not a checkpoint.
  void hurry();

  // The signal that asked this actor to end; 0 if none did.
  int ended_by_signal() const noexcept { return ended_by_signal_; }

  // While it lives, the signal that ends a root cancels this scope.
  void set_body(trio::CancelScope* body) noexcept { body_ = body; }

  bool is_cancelled() const noexcept { return cancelled_.is_set(); }

  // Who wanted that, if it is; ourselves if nobody else did.
  ActorId const& canceller() const noexcept { return canceller_; }

  // A checkpoint.
  void wait_cancelled() { cancelled_.wait(); }

  // A link for a child that will connect to endpoint() and say `identity`. Begins listening first,
  // if need be.
  std::unique_ptr<ipc::Link> expect_child(std::string const& identity);
  // What a child of this name is told. Its id has no pid yet.
  runtime::Specification specify_child(std::string name, std::string link_identity);
  spawn::Spawner& spawner();

  // The children that live, for ending them.
  void add_child(std::shared_ptr<runtime::Child> child);
  // The root has one beside it from its first child on. Throws SpawnError. Not a checkpoint.
  void ensure_warden();
  void remove_child(runtime::Child& child);
  // From now on it can take the signal that asks for task trees.
  void tell_signals_to(runtime::Child const& child, trio::Descriptor process);
  // Kills what a child has left behind. A checkpoint.
  void kill_descendants_of(ActorId const& child);

  // How messages travel; made when first asked for.
  ipc::Transport& transport();
  // Begun when first asked for, as most actors never publish. Throws TransportClosed.
  ipc::FanOut& fan_out();
  // Runs `say` in a task of the service; the actor's end waits for it, for a second at the most.
  // Throws RuntimeFailure when the service has ended.
  void start_farewell(std::string name, std::function<void()> say);

  // For what children write to their standard error.
  runtime::StderrOutlet& stderr_outlet() noexcept { return stderr_outlet_; }

  // Whether a signal has asked this actor, or its whole group, to end: also one that has come and
  // that no task has been told of yet, as what it did to the others of the group may be told first.
  bool is_pressed() const noexcept;

  // Where tasks live that serve links and processes, and those that peers have started. Throw
  // RuntimeFailure when the service has ended.
  trio::Nursery& service_nursery();
  trio::Nursery& task_nursery();

  // What peers may call here.
  std::vector<Entry const*> const& exposed() const noexcept { return exposed_; }

  // Made when first asked for.
  std::shared_ptr<spdlog::logger> const& logger();

 private:
  void serve();
  void close();
  void run_deferred();
  void stop_children();
  void watch_signals();
  // Prints our tasks, and has our children print theirs, whenever SIGUSR1 comes.
  std::unique_ptr<trio::TaskTreeOnSignal> watch_for_task_trees();
  void keep_warden();
  void await_farewells();
  // Makes the directory of a tree that has none yet.
  ipc::TransportOptions prepare_transport();

  TransportKind transport_kind_ = TransportKind::ipc;
  std::vector<Entry const*> exposed_;
  // Of the tree; the root owns it.
  std::string directory_;
  std::unique_ptr<runtime::PrivateDirectory> own_directory_;

  std::string lineage_;

  trio::Nursery* service_ = nullptr;
  trio::Nursery* tasks_ = nullptr;
  trio::CancelScope* body_ = nullptr;
  trio::Event started_;
  trio::Event tasks_ended_;
  trio::Event service_ended_;
  bool ending_ = false;
  bool pressed_ = false;
  // While signals are watched for.
  runtime::SignalWatch* signal_watch_ = nullptr;
  int ended_by_signal_ = 0;
  trio::Event cancelled_;
  ActorId canceller_;

  std::shared_ptr<spdlog::logger> logger_;
  std::unique_ptr<spawn::Spawner> spawner_;
  std::vector<std::shared_ptr<runtime::Child>> children_;
  // Their processes, for the thread that prints task trees.
  std::mutex signalled_mutex_;
  std::map<runtime::Child const*, trio::Descriptor> signalled_;
  std::size_t farewells_ = 0;
  trio::lowlevel::ParkingLot farewell_said_;
  // The ids of children whose leavings are to be killed, at the next look.
  std::vector<std::string> to_sweep_;
  trio::Lock sweep_lock_;
  runtime::StderrOutlet stderr_outlet_{spawn::tree_errors()};
  std::unique_ptr<spawn::Process> warden_;
  std::unique_ptr<ipc::Transport> transport_;
  std::unique_ptr<ipc::FanOut> fan_out_;
  std::unique_ptr<ipc::Listener> listener_;
  std::shared_ptr<runtime::Peer> parent_;
};

}  // namespace tractor
