// SPDX-License-Identifier: BSL-1.0
#include "child.hpp"
#include "local_actor.hpp"
#include "peer.hpp"

#include <tractor/actor_nursery.hpp>
#include <tractor/errors.hpp>
#include <tractor/run.hpp>
#include <trio/detail/guarded.hpp>
#include <trio/exception_group.hpp>
#include <trio/lowlevel.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tractor {

namespace {

// How long a signal that has come takes to end us, at the most.
constexpr std::chrono::seconds signal_patience(1);

using runtime::Child;
using runtime::Outcome;

// "app::(anonymous namespace)::fetch(int)" to "fetch".
std::string short_name(std::string name) {
  constexpr std::string_view anonymous = "(anonymous namespace)";
  for (auto at = name.find(anonymous); at != std::string::npos; at = name.find(anonymous))
    name.erase(at, anonymous.size());
  name.erase(std::min(name.find_first_of("(<"), name.size()));
  auto const scope = name.rfind(':');
  return scope == std::string::npos ? name : name.substr(scope + 1);
}

// Lives with a child until it is gone: `work` is what is to be waited for meanwhile. An error of it
// is told to `on_error` at once and thrown once the child is gone; so is what `last_news` finds to
// have gone wrong when all that the child said has arrived, or its unasked death.
template <class Work, class OnError, class LastNews>
void supervise(std::shared_ptr<Child> const& child, Work work, OnError on_error,
               LastNews last_news) {
  std::exception_ptr cancelled;
  std::exception_ptr error;
  try {
    work();
  } catch (trio::Cancelled const&) {
    cancelled = std::current_exception();
  } catch (...) {
    error = std::current_exception();
  }
  if (error) on_error(error);
  child->stop(cancelled ? "its nursery is being cancelled" : "its work is done");
  if (!error) {
    error = last_news();
    if (!error) error = child->death();
    if (error) on_error(error);
  }
  if (error) std::rethrow_exception(error);
  if (cancelled) std::rethrow_exception(cancelled);
}

// Each error once: a death reaches the calls that were under way as well as its actor's own task.
std::exception_ptr without_repetitions(std::exception_ptr const& error) {
  std::vector<std::exception_ptr> told;
  return trio::detail::sieve(error, [&](std::exception_ptr const& leaf) {
    if (std::find(told.begin(), told.end(), leaf) != told.end()) return true;
    told.push_back(leaf);
    return false;
  });
}

}  // namespace

Portal ActorNursery::start_actor(ActorOptions options) {
  trio::lowlevel::checkpoint();
  auto const child = Child::spawn(actor_, options.name, options);
  nursery_->start<void>(trio::TaskOptions{.name = "actor " + options.name},
                        [child](trio::TaskStatus<void>& status) {
                          supervise(
                              child,
                              [&] {
                                child->peer()->wait_ready();
                                status.started();
                                // From then on it is for stop() to see to its end.
                                child->peer()->ending().wait();
                              },
                              [](std::exception_ptr const&) {}, [] { return nullptr; });
                        });
  return Portal(child->peer());
}

ActorNursery::Started ActorNursery::run_one(Entry const& entry, Buffer arguments,
                                            ActorOptions options) {
  trio::lowlevel::checkpoint();
  if (options.name.empty()) options.name = short_name(entry.id().readable_name());
  std::vector<Entry const*> exposed(options.expose.entries().begin(),
                                    options.expose.entries().end());
  exposed.push_back(&entry);
  options.expose = Exposed(exposed);
  auto const child = Child::spawn(actor_, options.name, options);
  auto const outcome = std::make_shared<Outcome>();
  nursery_->start_soon({.name = "actor " + options.name}, [this, child, outcome, id = entry.id(),
                                                           given = std::move(arguments)]() mutable {
    run_task(child, *outcome, id, std::move(given));
  });
  return {Portal(child->peer()), outcome};
}

void ActorNursery::run_task(std::shared_ptr<runtime::Child> const& child, Outcome& outcome,
                            FunctionId const& function, Buffer arguments) {
  std::shared_ptr<runtime::Call> call;
  auto const settle = [&](std::exception_ptr error) {
    if (outcome.done.is_set()) return;
    outcome.error = std::move(error);
    if (!outcome.error) outcome.result = std::move(call->result);
    outcome.done.set();
  };
  try {
    supervise(
        child,
        [&] {
          child->peer()->wait_ready();
          call = child->peer()->begin_call(function, std::move(arguments));
          call->done.wait();
          // A signal to all of the group has ended it, and is about to end us; unless somebody has
          // caught what it throws here.
          if (call->was_cancelled && actor_.is_pressed()) trio::sleep(signal_patience);
          if (call->error) std::rethrow_exception(call->error);
          settle(nullptr);
        },
        [&](std::exception_ptr const& error) {
          settle(error);
          cancel_because(child->peer()->id(), error);
        },
        [&] {
          // Of a call that was still open when we were cancelled.
          if (call && call->done.is_set() && !call->error) settle(nullptr);
          return call && call->was_thrown() ? call->error : nullptr;
        });
  } catch (trio::Cancelled const&) {
    settle(call && call->error ? call->error
                               : std::make_exception_ptr(TransportClosed(
                                     "tractor: the actor was ended before it had a result")));
    throw;
  }
}

void ActorNursery::cancel_because(ActorId const& actor, std::exception_ptr const& error) {
  // For people, who do not read megabytes.
  constexpr std::size_t longest_reason = 500;
  nursery_->cancel_scope().cancel({trio::CancelSource::nursery, "actor " + actor.name,
                                   trio::describe(error).substr(0, longest_reason)});
}

void run_actor_nursery(RootOptions const* options, std::function<void(ActorNursery&)> const& body) {
  auto const run_in = [&](LocalActor& actor) {
    // Outlives the body: the actors' tasks need it until the end.
    ActorNursery actors(actor);
    auto const thrown = trio::detail::caught_from([&] {
      trio::open_nursery([&](trio::Nursery& nursery) {
        actors.nursery_ = &nursery;
        body(actors);
      });
    });
    if (thrown) std::rethrow_exception(without_repetitions(thrown));
  };
  if (!trio::lowlevel::in_task())
    throw trio::MisuseError(
        "tractor: open_nursery must be called in a task: start the program with `return "
        "tractor::run(amain);`");
  LocalActor* const present = LocalActor::current_or_null();
  if (!present) {
    detail::open_root_actor(options ? *options : RootOptions{},
                            [&] { run_in(LocalActor::current()); });
  } else if (options) {
    throw RuntimeFailure(
        "tractor: open_nursery: options for a root actor make no sense here, this "
        "task is in actor '" +
        present->name() + "' already");
  } else {
    run_in(*present);
  }
}

}  // namespace tractor
