// SPDX-License-Identifier: BSL-1.0
#include "child.hpp"

#include "local_actor.hpp"
#include "peer.hpp"
#include "process_title.hpp"
#include "unique_id.hpp"

#include <tractor/errors.hpp>
#include <tractor/log.hpp>
#include <tractor/wire_errors.hpp>
#include <trio/cancel_scope.hpp>

#include <chrono>
#include <utility>

#include <signal.h>

namespace tractor::runtime {

namespace {

// How far the end of a process and that of its link may lie apart.
constexpr std::chrono::milliseconds settling_time(500);

wire::FunctionRef refer_to(Entry const& entry) {
  wire::FunctionRef reference;
  reference.name = entry.id().name();
  reference.record = entry.id().offset();
  reference.signature_hash = entry.id().signature_hash();
  return reference;
}

}  // namespace

Child::Child(ActorOptions const& options)
    : spawn_timeout_(options.spawn_timeout),
      cancel_timeout_(options.cancel_timeout),
      terminate_timeout_(options.terminate_timeout) {}

std::shared_ptr<Child> Child::spawn(LocalActor& parent, std::string name,
                                    ActorOptions const& options) {
  std::shared_ptr<Child> child(new Child(options));
  std::string const identity = make_unique_id();
  auto link = parent.expect_child(identity);
  Specification specification = parent.specify_child(std::move(name), identity);
  if (options.log_level) specification.log_level = *options.log_level;
  for (auto const& [key, value] : options.runtime_vars) specification.runtime_vars[key] = value;
  for (Entry const* entry : options.expose.entries())
    specification.exposed.push_back(refer_to(*entry));

  spawn::Command command;
  command.executable = options.executable;
  command.arguments = child_arguments(specification.id.name, specification.tree_id);
  command.specification = encode(specification);
  child->process_ = parent.spawner().spawn(command);

  child->id_ = std::move(specification.id);
  child->id_.pid = child->process_->pid();
  child->peer_ = std::make_shared<Peer>(parent, std::move(link), Peer::Side::listened);
  child->peer_->set_id(child->id_);
  trio::Nursery& service = parent.service_nursery();
  service.start_soon({.name = "process of " + child->id_.name},
                     [child] { child->watch_process(); });
  service.start_soon({.name = "messages from " + child->id_.name}, [child] { child->read_link(); });
  return child;
}

void Child::read_link() {
  try {
    auto const greeted =
        trio::move_on_after(spawn_timeout_, [&] { peer_->await_introduction(id_); });
    if (greeted.cut_short)
      peer_->fail(std::make_exception_ptr(TransportClosed(
          "tractor: actor " + describe(id_) +
          " did not link up in time; does its main come to "
          "tractor::run or tractor::become_actor_if_spawned? (ActorOptions::spawn_timeout)")));
  } catch (TransportClosed const&) {
    peer_->fail(std::current_exception());
  } catch (DecodeError const& error) {
    peer_->fail(std::make_exception_ptr(TransportClosed(error.what())));
  }
  peer_->serve([this](std::exception_ptr reason) {
    // A link breaks most often because the process is gone; that is the better news.
    static_cast<void>(trio::move_on_after(settling_time, [&] { exited_.wait(); }));
    return death_ ? death_ : reason;
  });
}

void Child::watch_process() {
  auto const ended = process_->wait();
  // What it said last may still be on its way to us.
  if (ended.is_success() && peer_->is_ready())
    static_cast<void>(trio::move_on_after(settling_time, [&] { peer_->over().wait(); }));
  if (!killed_by_us_ && !(ended.is_success() && peer_->said_goodbye()))
    death_ = std::make_exception_ptr(ActorDied(id_, ended.status, ended.signalled));
  exited_.set();
  if (peer_->is_ready())
    static_cast<void>(trio::move_on_after(settling_time, [&] { peer_->over().wait(); }));
  if (!peer_->is_over())
    peer_->fail(death_ ? death_
                       : std::make_exception_ptr(
                             TransportClosed("tractor: actor " + describe(id_) + " was ended")));
  peer_->over().wait();
  gone_.set();
}

void Child::stop(std::string reason) {
  auto const gone_within = [&](trio::Duration patience) {
    static_cast<void>(trio::move_on_after(patience, [&] { gone_.wait(); }));
    return gone_.is_set();
  };
  trio::shielded([&] {
    peer_->request_cancel(std::move(reason));
    if (gone_within(cancel_timeout_)) return;
    killed_by_us_ = true;
    log(LogLevel::warning, "actor " + describe(id_) + " does not end as asked; sending SIGTERM");
    process_->signal(SIGTERM);
    if (gone_within(terminate_timeout_)) return;
    log(LogLevel::warning, "actor " + describe(id_) + " does not end; sending SIGKILL");
    process_->signal(SIGKILL);
    gone_.wait();
  });
}

}  // namespace tractor::runtime
