// SPDX-License-Identifier: BSL-1.0
#include "child.hpp"

#include "../spawn/lineage.hpp"
#include "local_actor.hpp"
#include "peer.hpp"
#include "process_title.hpp"
#include "unique_id.hpp"

#include <tractor/errors.hpp>
#include <tractor/log.hpp>
#include <tractor/wire_errors.hpp>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

#include <signal.h>

namespace tractor::runtime {

namespace {

// How far the end of a process and that of its link may lie apart: the link's ends when all that it
// carried was read, if nobody else holds the process's descriptors.
constexpr std::chrono::milliseconds settling_time(500);
// The same after an orderly exit, where it is not in doubt that there are last words.
constexpr std::chrono::seconds last_words_time(10);
// How often an actor is asked whether it is alive, at the least; at the most five times in the time
// that it is given.
constexpr std::chrono::nanoseconds longest_beat = std::chrono::seconds(1);
constexpr int beats_in_patience = 5;

// While a debugger holds a process, it is asked no more often than this whether it still does.
trio::Duration at_least_a_look(trio::Duration patience) {
  return std::max(patience, trio::Duration(std::chrono::milliseconds(100)));
}

void check(ActorOptions const& options) {
  trio::Duration const none = std::chrono::nanoseconds(0);
  if (options.spawn_timeout < none || options.cancel_timeout < none ||
      options.terminate_timeout < none || options.unresponsive_after.value_or(none) < none)
    throw std::invalid_argument("tractor: a time in ActorOptions is negative");
}

}  // namespace

Child::Child(LocalActor& parent, ActorOptions const& options)
    : parent_(parent),
      spawn_timeout_(options.spawn_timeout),
      cancel_timeout_(options.cancel_timeout),
      terminate_timeout_(options.terminate_timeout),
      unresponsive_after_(options.unresponsive_after) {}

std::shared_ptr<Child> Child::spawn(LocalActor& parent, std::string name,
                                    ActorOptions const& options) {
  check(options);
  trio::Nursery& service = parent.service_nursery();
  std::shared_ptr<Child> child(new Child(parent, options));
  std::string const identity = make_unique_id();
  auto link = parent.expect_child(identity);
  Specification specification = parent.specify_child(std::move(name), identity);
  if (options.log_level) specification.log_level = *options.log_level;
  for (auto const& [key, value] : options.runtime_vars) specification.runtime_vars[key] = value;
  for (Entry const* entry : options.expose.entries())
    specification.exposed.push_back(wire::refer_to(entry->id()));

  spawn::Command command;
  command.executable = options.executable;
  command.arguments = child_arguments(specification.id.name, specification.tree_id);
  command.variables = {std::string(spawn::lineage_variable) + "=" + specification.lineage};
  command.captures_errors = options.capture_stderr;
  command.specification = encode(specification);
  parent.ensure_warden();
  child->process_ = parent.spawner().spawn(command);

  child->id_ = std::move(specification.id);
  child->id_.pid = child->process_->pid();
  child->peer_ = std::make_shared<Peer>(parent, std::move(link), Peer::Side::listened);
  child->peer_->set_id(child->id_);
  parent.add_child(child);
  service.start_soon({.name = "process of " + child->id_.name},
                     [child] { child->watch_process(); });
  service.start_soon({.name = "messages from " + child->id_.name}, [child] { child->read_link(); });
  if (child->process_->errors() >= 0) {
    child->stderr_.emplace(child->process_->errors(), parent.stderr_outlet());
    service.start_soon({.name = "stderr of " + child->id_.name},
                       [child] { child->stderr_->run(); });
  }
  return child;
}

void Child::read_link() {
  try {
    bool late = false;
    do {
      late = trio::move_on_after(spawn_timeout_, [&] { peer_->await_introduction(id_); }).cut_short;
    } while (late && process_->is_traced());
    if (late) {
      refuse_because(
          "it did not link up in time; does its main come to tractor::run or "
          "tractor::become_actor_if_spawned? (ActorOptions::spawn_timeout)");
    } else {
      parent_.tell_signals_to(*this, process_->handle());
      if (unresponsive_after_)
        parent_.service_nursery().start_soon(
            {.name = "pulse of " + id_.name},
            [child = shared_from_this()] { child->watch_pulse(); });
    }
  } catch (TransportClosed const&) {
    // serve() meets it too, and finds out why.
  } catch (DecodeError const& error) {
    refuse_because(error.what());
  }
  peer_->serve([this](std::exception_ptr reason) {
    link_ended_.set();
    // A link breaks most often because the process is gone; that is the better news.
    static_cast<void>(trio::move_on_after(settling_time, [&] { exited_.wait(); }));
    return death_ ? death_ : reason;
  });
  link_ended_.set();
}

void Child::watch_process() {
  // Whatever happens to us, nobody waits for ever.
  struct AtEnd {
    Child& child;

    ~AtEnd() {
      child.exited_.set();
      child.gone_.set();
      child.no_patience_.set();
      child.parent_.remove_child(child);
    }
  } const at_end{*this};

  auto const ended = process_->wait();
  if (stderr_) stderr_->finish();
  bool const succeeded = !ended || ended->is_success();
  bool const has_last_words = peer_->is_ready() && !(ended && ended->signalled);
  if (has_last_words)
    static_cast<void>(trio::move_on_after(
        succeeded ? trio::Duration(last_words_time) : trio::Duration(settling_time),
        [&] { link_ended_.wait(); }));
  bool const said_goodbye = has_last_words && peer_->said_goodbye();
  // A signal that ends us may have gone to the whole group: then its end is as wanted as ours.
  bool const orderly = said_goodbye && (succeeded || asked_ || parent_.is_pressed());
  if (said_goodbye && !orderly)
    cause_ = "it ended by itself, with exit code " + std::to_string(ended->status);
  if (!orderly && (!killed_by_us_ || !cause_.empty()))
    death_ = std::make_exception_ptr(ActorDied(id_, ended ? ended->status : -1,
                                               ended && ended->signalled, cause_,
                                               stderr_ ? stderr_->tail() : std::string()));
  exited_.set();
  if (peer_->is_ready())
    static_cast<void>(trio::move_on_after(settling_time, [&] { peer_->over().wait(); }));
  if (!peer_->is_over())
    peer_->fail(death_ ? death_
                       : std::make_exception_ptr(
                             TransportClosed("tractor: actor " + describe(id_) + " was ended")));
  peer_->over().wait();
  if (!orderly) parent_.kill_descendants_of(id_);
}

void Child::watch_pulse() {
  std::chrono::nanoseconds const patience = unresponsive_after_->nanoseconds();
  std::chrono::nanoseconds const beat = std::min(patience / beats_in_patience, longest_beat);
  std::chrono::nanoseconds silence(0);
  while (!peer_->is_over()) {
    // In pieces, so that a pause of this process itself counts as one of them at the most.
    if (peer_->answers_within(beat)) {
      silence = std::chrono::nanoseconds(0);
      static_cast<void>(trio::move_on_after(beat, [&] { peer_->over().wait(); }));
    } else if (process_->is_traced()) {
      silence = std::chrono::nanoseconds(0);
    } else {
      silence += beat;
      if (silence >= patience)
        return end_because(
            "its scheduler has not answered for " +
            std::to_string(
                std::chrono::duration_cast<std::chrono::milliseconds>(patience).count()) +
            " ms: its process was stopped, or a task computes or blocks without a checkpoint "
            "(ActorOptions::unresponsive_after)");
    }
  }
}

void Child::end_because(std::string cause) {
  cause_ = std::move(cause);
  process_->signal(SIGKILL);
}

void Child::refuse_because(std::string cause) {
  end_because(std::move(cause));
  // Whoever is at the other end of the link is not to be served meanwhile.
  exited_.wait();
}

bool Child::gone_within(trio::Duration patience) {
  for (;;) {
    bool const held = process_->is_traced();
    static_cast<void>(trio::move_on_after(held ? at_least_a_look(patience) : patience,
                                          [&] { no_patience_.wait(); }));
    // Let go meanwhile, it has all of its time before it.
    if (no_patience_.is_set() || (!held && !process_->is_traced())) return gone_.is_set();
  }
}

void Child::stop(std::string reason) {
  trio::shielded([&] {
    if (gone_.is_set()) return;
    stopping_ = true;
    if (!peer_->is_over()) asked_ = true;
    peer_->request_cancel(std::move(reason));
    if (gone_within(cancel_timeout_)) return;
    if (asked_ || parent_.is_pressed())
      killed_by_us_ = true;
    else if (cause_.empty())
      cause_ = peer_->said_goodbye()
                   ? "it said goodbye unasked, and its process did not end by itself"
                   : "the link with it was lost, and it did not end by itself";
    if (!hurried_) {
      log(LogLevel::warning, "actor " + describe(id_) + " does not end as asked; sending SIGTERM");
      process_->signal(SIGTERM);
      if (gone_within(terminate_timeout_)) return;
    }
    log(LogLevel::warning, "actor " + describe(id_) + " does not end; sending SIGKILL");
    process_->signal(SIGKILL);
    gone_.wait();
  });
}

void Child::hurry() noexcept {
  if (!stopping_) return;
  hurried_ = true;
  no_patience_.set();
}

}  // namespace tractor::runtime
