// SPDX-License-Identifier: BSL-1.0
#include "local_actor.hpp"

#include "../ipc/transport.hpp"
#include "../spawn/exec_spawner.hpp"
#include "../spawn/inherited_specification.hpp"
#include "../spawn/lineage.hpp"
#include "../spawn/warden.hpp"
#include "child.hpp"
#include "peer.hpp"
#include "private_directory.hpp"
#include "signal_watch.hpp"
#include "unique_id.hpp"

#include <tractor/errors.hpp>
#include <tractor/log.hpp>
#include <tractor/portal.hpp>
#include <trio/cancel_scope.hpp>
#include <trio/detail/guarded.hpp>
#include <trio/errors.hpp>
#include <trio/exception_group.hpp>
#include <trio/io.hpp>
#include <trio/lowlevel.hpp>
#include <trio/task_local.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <utility>

#include <unistd.h>

namespace tractor {

std::shared_ptr<spdlog::logger> make_logger(ActorId const& id);

namespace {

trio::TaskLocal<LocalActor> const current_local_actor;

// No tree of actors is to be deeper: one that spawns without end must end somewhere.
constexpr int deepest = 100;

// How long an ending child waits for its parent to have received everything. It is the parent's to
// hurry: it has patience with us, and if it is gone, so are we.
constexpr std::chrono::hours farewell_patience(1);

// How often, and for how long each time, what was killed is waited for: it may be writing a core
// file, or stand in the kernel for ever.
constexpr int sweeps = 10;
constexpr std::chrono::seconds sweep_patience(1);

// Between the end of a warden and the start of another.
constexpr std::chrono::milliseconds warden_pause(100);

// How long an actor that ends waits until others, which its children are not, have heard of it.
constexpr std::chrono::seconds farewells_patience(1);

// How long an actor that ends waits for whoever reads the standard error of the tree.
constexpr std::chrono::seconds flush_patience(1);

}  // namespace

LocalActor::LocalActor(RootOptions const& options)
    : transport_kind_(options.transport),
      exposed_(options.expose.entries().begin(), options.expose.entries().end()) {
  id_ = {options.name, runtime::make_unique_id(), getpid()};
  tree_id_ = id_.uuid;
  lineage_ = spawn::lineage_from_here(id_.uuid);
  log_level_ = options.log_level.value_or(LogLevel::warning);
  if (char const* wanted = std::getenv("TRACTOR_LOGLEVEL")) {
    if (auto const level = log_level_named(wanted))
      log_level_ = *level;
    else
      log(LogLevel::warning, std::string("TRACTOR_LOGLEVEL=") + wanted + " names no level");
  }
  runtime_vars_ = options.runtime_vars;
}

LocalActor::LocalActor(runtime::Specification const& specification)
    : transport_kind_(specification.transport), directory_(specification.directory) {
  id_ = specification.id;
  id_.pid = getpid();
  depth_ = specification.depth;
  tree_id_ = specification.tree_id;
  lineage_ = specification.lineage;
  log_level_ = specification.log_level;
  runtime_vars_ = specification.runtime_vars;
}

void LocalActor::expose(std::vector<wire::FunctionRef> const& functions, bool same_build) {
  auto const registered = registered_functions();
  for (wire::FunctionRef const& function : functions) {
    auto const known = exposed_.size();
    if (same_build) {
      if (auto const* entry =
              resolve(registered, {function.name, function.record, function.signature_hash}).entry)
        exposed_.push_back(entry);
    } else {
      // By name alone: whether the signature is the same, each call asks for itself.
      std::copy_if(registered.begin(), registered.end(), std::back_inserter(exposed_),
                   [&](Entry const* entry) { return entry->id().name() == function.name; });
    }
    if (exposed_.size() == known)
      log(LogLevel::warning, "this program has no function '" + readable_name(function.name) +
                                 "', which its parent wants it to expose; name it in a "
                                 "tractor::expose<...> there");
  }
}

LocalActor::~LocalActor() = default;

LocalActor* LocalActor::current_or_null() { return current_local_actor.get(); }

LocalActor& LocalActor::current() {
  LocalActor* actor = current_or_null();
  if (!actor)
    throw NoRuntime(
        "tractor: this must be called in an actor: inside tractor::run, "
        "tractor::open_root_actor or tractor::open_nursery");
  return *actor;
}

std::shared_ptr<LocalActor> LocalActor::begin(std::shared_ptr<LocalActor> actor) {
  current_local_actor.set(actor);
  trio::lowlevel::spawn_system_task("tractor service of " + actor->name(),
                                    [actor] { actor->serve(); });
  trio::shielded([&] { actor->started_.wait(); });
  return actor;
}

namespace {

// Marks what the root starts itself; what its children start, they mark.
class LineageInEnvironment {
 public:
  explicit LineageInEnvironment(std::string const& lineage) : before_(spawn::inherited_lineage()) {
    setenv(spawn::lineage_variable, lineage.c_str(), 1);
  }

  LineageInEnvironment(LineageInEnvironment const&) = delete;
  LineageInEnvironment& operator=(LineageInEnvironment const&) = delete;

  ~LineageInEnvironment() {
    if (before_.empty())
      unsetenv(spawn::lineage_variable);
    else
      setenv(spawn::lineage_variable, before_.c_str(), 1);
  }

 private:
  std::string const before_;
};

// Takes back what a nursery's end makes invalid, however it ends: end() waits for the event without
// a way out.
struct Ended {
  trio::Nursery*& nursery;
  trio::Event& event;

  ~Ended() {
    nursery = nullptr;
    event.set();
  }
};

}  // namespace

void LocalActor::serve() {
  Ended const service_ended{service_, service_ended_};
  std::optional<LineageInEnvironment> marked;
  if (is_root()) marked.emplace(lineage_);
  trio::open_nursery([&](trio::Nursery& service) {
    service_ = &service;
    service.start_soon({.name = "tasks for peers"}, [&] {
      Ended const tasks_ended{tasks_, tasks_ended_};
      trio::open_nursery([&](trio::Nursery& tasks) {
        tasks_ = &tasks;
        started_.set();
        trio::sleep_forever();
      });
    });
    service.start_soon({.name = "signals"}, [&] { watch_signals(); });
    service.start_soon({.name = "stderr of children"}, [&] { stderr_outlet_.run(); });
    auto const task_trees = watch_for_task_trees();
    trio::sleep_forever();
  });
  listener_.reset();
  transport_.reset();
  fan_out_.reset();
  warden_.reset();
}

trio::Nursery& LocalActor::service_nursery() {
  if (!service_) throw RuntimeFailure("tractor: actor " + describe(id_) + " has ended");
  return *service_;
}

trio::Nursery& LocalActor::task_nursery() {
  if (!tasks_) throw RuntimeFailure("tractor: actor " + describe(id_) + " is ending");
  return *tasks_;
}

void LocalActor::end() {
  if (!std::exchange(ending_, true))
    trio::lowlevel::spawn_system_task("end of " + name(), [this] { close(); });
  std::exception_ptr interrupted;
  while (!service_ended_.is_set()) {
    try {
      trio::shielded([&] { service_ended_.wait(); });
    } catch (trio::Interrupted const&) {
      interrupted = std::current_exception();
    }
  }
  current_local_actor.set(nullptr);
  if (interrupted) std::rethrow_exception(interrupted);
}

// In a task of its own: neither scopes nor interrupts of who ends the actor reach it.
void LocalActor::close() {
  cancel({trio::CancelSource::call, {}, "the actor has ended"});
  if (tasks_) tasks_->cancel_scope().cancel("the actor has ended");
  tasks_ended_.wait();
  run_deferred();
  stop_children();
  await_farewells();
  static_cast<void>(trio::move_on_after(flush_patience, [&] { stderr_outlet_.flush(); }));
  if (parent_) {
    transport_->process_ends();
    if (fan_out_) fan_out_->process_ends();
    parent_->say_goodbye(farewell_patience);
  }
  if (service_) service_->cancel_scope().cancel("the actor has ended");
}

void LocalActor::start_farewell(std::string name, std::function<void()> say) {
  service_nursery().start_soon({.name = std::move(name)}, [this, say = std::move(say)] {
    struct Said {
      LocalActor& actor;

      explicit Said(LocalActor& of) : actor(of) { ++actor.farewells_; }

      ~Said() {
        --actor.farewells_;
        actor.farewell_said_.unpark_all();
      }
    } const said(*this);
    say();
  });
}

void LocalActor::await_farewells() {
  // Those that are about to begin.
  trio::lowlevel::checkpoint();
  static_cast<void>(trio::move_on_after(farewells_patience, [&] {
    while (farewells_ > 0) farewell_said_.park();
  }));
}

// Those whose nursery is still open: a task that outlives this actor's block has it.
void LocalActor::stop_children() {
  trio::open_nursery([&](trio::Nursery& nursery) {
    for (auto const& child : children_)
      nursery.start_soon([child] { child->stop("its parent has ended"); });
  });
}

void LocalActor::watch_signals() {
  std::vector<int> signals;
  // The terminal sends it to all of us: a child is told by its parent.
  // Where nobody handles it, it ends the root as it always would.
  if (is_root() && !runtime::SignalWatch::is_default(SIGINT)) signals.push_back(SIGINT);
  if (runtime::SignalWatch::is_default(SIGTERM)) signals.push_back(SIGTERM);
  runtime::SignalWatch watch(signals);

  struct Forgotten {
    runtime::SignalWatch*& place;

    ~Forgotten() { place = nullptr; }
  } const forgotten{signal_watch_};

  signal_watch_ = &watch;
  for (;;) {
    int const signal = watch.wait();
    // Who sends a second SIGTERM most often means the first: timeout(1) sends one to the process
    // and one to its group. Whoever has no patience left sends SIGINT, or SIGKILL.
    if (!std::exchange(pressed_, true))
      ended_by_signal_ = signal;
    else if (signal != SIGTERM || ended_by_signal_ != SIGTERM)
      hurry();
    // A SIGINT is trio's to raise, in the main task.
    if (signal != SIGTERM) continue;
    trio::CancelReason const reason{trio::CancelSource::interrupt, {}, "SIGTERM"};
    cancel(reason);
    if (body_) body_->cancel(reason);
  }
}

bool LocalActor::is_pressed() const noexcept {
  return pressed_ || (signal_watch_ && signal_watch_->has_heard());
}

void LocalActor::hurry() {
  for (auto const& child : children_) child->hurry();
}

void LocalActor::run_deferred() {
  while (!lifetime_.deferred_.empty()) {
    auto const clean_up = std::move(lifetime_.deferred_.back());
    lifetime_.deferred_.pop_back();
    if (auto const error = trio::detail::caught_from(clean_up))
      log(LogLevel::error, "deferred clean-up failed: " + report(error));
  }
}

ipc::TransportOptions LocalActor::prepare_transport() {
  if (directory_.empty() && transport_kind_ == TransportKind::ipc) {
    own_directory_ = std::make_unique<runtime::PrivateDirectory>();
    directory_ = own_directory_->path();
  }
  ipc::TransportOptions options;
  options.kind = transport_kind_;
  options.directory = directory_;
  options.report = [](std::string const& what) { log(LogLevel::warning, what); };
  return options;
}

ipc::Transport& LocalActor::transport() {
  if (!transport_) transport_ = ipc::make_transport(service_nursery(), prepare_transport());
  return *transport_;
}

ipc::FanOut& LocalActor::fan_out() {
  if (!fan_out_) fan_out_ = ipc::make_fan_out(service_nursery(), prepare_transport());
  return *fan_out_;
}

spawn::Spawner& LocalActor::spawner() {
  if (!spawner_) spawner_ = spawn::make_exec_spawner();
  return *spawner_;
}

void LocalActor::join_parent(runtime::Specification const& specification) {
  auto const parent = std::make_shared<runtime::Peer>(
      *this, transport().connect(specification.endpoint, specification.link_identity),
      runtime::Peer::Side::connected);
  parent->set_id(specification.parent);
  parent->introduce_ourselves();
  parent_ = parent;
  service_nursery().start_soon({.name = "messages from " + parent->id().name}, [this, parent] {
    parent->serve();
    cancel({trio::CancelSource::remote, {}, "the link with the parent is over"});
  });
}

void LocalActor::cancel_requested_by(runtime::Peer& peer, ActorId const& canceller,
                                     std::string reason) {
  if (&peer != parent_.get()) {
    log(LogLevel::warning, describe(canceller) + " asked this actor to end; only its parent may");
    return;
  }
  if (!is_cancelled()) canceller_ = canceller;
  cancel({trio::CancelSource::remote, describe(canceller), std::move(reason)});
}

void LocalActor::cancel(trio::CancelReason reason) {
  if (is_cancelled()) return;
  if (canceller_.uuid.empty()) canceller_ = id_;
  cancelled_.set();
  if (!is_root() && tasks_) tasks_->cancel_scope().cancel(std::move(reason));
}

std::unique_ptr<ipc::Link> LocalActor::expect_child(std::string const& identity) {
  if (!listener_) listener_ = transport().listen(id_.uuid);
  return listener_->expect(identity);
}

runtime::Specification LocalActor::specify_child(std::string name, std::string link_identity) {
  if (depth_ >= deepest)
    throw SpawnError("tractor: actor " + describe(id_) + " is " + std::to_string(depth_) +
                     " levels below the root; a tree this deep is taken for a runaway one");
  runtime::Specification child;
  child.build_id = build_id();
  child.id = {std::move(name), runtime::make_unique_id(), 0};
  child.parent = id_;
  child.tree_id = tree_id_;
  child.depth = depth_ + 1;
  child.log_level = log_level_;
  child.runtime_vars = runtime_vars_;
  child.endpoint = listener_->endpoint();
  child.link_identity = std::move(link_identity);
  child.transport = transport_kind_;
  child.directory = directory_;
  child.lineage = lineage_ + "/" + child.id.uuid;
  return child;
}

void LocalActor::add_child(std::shared_ptr<runtime::Child> child) {
  children_.push_back(std::move(child));
}

void LocalActor::ensure_warden() {
  if (!is_root() || warden_) return;
  warden_ = spawn::start_warden(spawner(), tree_id_);
  service_nursery().start_soon({.name = "warden"}, [this] { keep_warden(); });
}

void LocalActor::remove_child(runtime::Child& child) {
  std::erase_if(children_, [&](auto const& present) { return present.get() == &child; });
  std::lock_guard const lock(signalled_mutex_);
  signalled_.erase(&child);
}

void LocalActor::tell_signals_to(runtime::Child const& child, trio::Descriptor process) {
  std::lock_guard const lock(signalled_mutex_);
  signalled_.emplace(&child, std::move(process));
}

std::unique_ptr<trio::TaskTreeOnSignal> LocalActor::watch_for_task_trees() {
  // The program's own, if it has a use for it.
  if (is_root() && !runtime::SignalWatch::is_default(SIGUSR1)) return nullptr;
  trio::TaskTreeOptions options;
  options.heading =
      "Tasks of actor " + describe(id_) + ", at depth " + std::to_string(depth_) + ":";
  options.output = spawn::tree_errors();
  options.afterwards = [this] {
    std::lock_guard const lock(signalled_mutex_);
    for (auto const& [child, process] : signalled_) spawn::signal(process, SIGUSR1);
  };
  return std::make_unique<trio::TaskTreeOnSignal>(std::move(options));
}

void LocalActor::keep_warden() {
  for (;;) {
    warden_->wait();
    log(LogLevel::warning, "the warden of this tree was killed; starting another one");
    trio::sleep(warden_pause);
    try {
      warden_ = spawn::start_warden(spawner(), tree_id_);
    } catch (SpawnError const& error) {
      log(LogLevel::error, std::string("this tree is without a warden: ") + error.what());
    }
  }
}

void LocalActor::kill_descendants_of(ActorId const& child) {
  to_sweep_.push_back(child.uuid);
  auto const turn = sweep_lock_.guard();
  // Whoever had the lock before us may have taken ours along: one look serves many deaths.
  std::vector<std::string> const ids = std::exchange(to_sweep_, {});
  if (ids.empty()) return;
  auto left = spawn::find_descendants(ids);
  for (int i = 0; i < sweeps && !left.empty(); ++i) {
    for (trio::Descriptor const& process : left) spawn::signal(process, SIGKILL);
    for (trio::Descriptor const& process : left)
      static_cast<void>(trio::move_on_after(sweep_patience,
                                            [&] { trio::lowlevel::wait_readable(process.get()); }));
    // They may have been starting others.
    left = spawn::find_descendants(ids);
  }
  if (!left.empty())
    log(LogLevel::error, std::to_string(left.size()) + " processes that " + describe(child) +
                             " and others have started cannot be killed");
}

std::shared_ptr<spdlog::logger> const& LocalActor::logger() {
  if (!logger_) logger_ = make_logger(id_);
  return logger_;
}

Actor& current_actor() { return LocalActor::current(); }

void print_task_tree() {
  static_cast<void>(LocalActor::current());
  // Whose default would be to end the process.
  if (!runtime::SignalWatch::is_default(SIGUSR1)) kill(getpid(), SIGUSR1);
}

Portal Actor::parent() const {
  auto const& peer = static_cast<LocalActor const&>(*this).parent_peer();
  if (!peer) throw trio::MisuseError("tractor: the root actor has no parent; see Actor::is_root");
  return Portal(peer);
}

}  // namespace tractor
