// SPDX-License-Identifier: BSL-1.0
#include "../spawn/inherited_specification.hpp"
#include "local_actor.hpp"
#include "process_title.hpp"
#include "signal_watch.hpp"
#include "specification.hpp"

#include <tractor/errors.hpp>
#include <tractor/log.hpp>
#include <tractor/run.hpp>
#include <tractor/wire_errors.hpp>
#include <trio/cancel_scope.hpp>
#include <trio/detail/guarded.hpp>
#include <trio/errors.hpp>
#include <trio/exception_group.hpp>
#include <trio/lowlevel.hpp>
#include <trio/run.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>

#include <unistd.h>

namespace tractor {

namespace {

constexpr int exit_failure = 1;
// As a shell has it for a program that a signal ended.
constexpr int exit_by_signal = 128;
// A spawned process whose main never came to tractor::run.
constexpr int exit_not_an_actor = 97;

void serve_as_child(runtime::Specification const& specification) {
  auto const actor = LocalActor::begin(std::make_shared<LocalActor>(specification));
  actor->expose(specification.exposed, specification.build_id == build_id());
  std::exception_ptr error;
  try {
    actor->join_parent(specification);
    actor->wait_cancelled();
  } catch (trio::Interrupted const&) {
    error = std::current_exception();
    actor->cancel({trio::CancelSource::interrupt, {}, "SIGINT"});
  } catch (...) {
    error = std::current_exception();
  }
  actor->end();
  if (error) std::rethrow_exception(error);
  if (int const signal = actor->ended_by_signal()) throw trio::Interrupted(signal);
}

// Tells people what ended the program; returns the exit code for it.
int tell(std::exception_ptr const& error, char const* who, char const* where = "") noexcept {
  if (auto const* interrupted = trio::exception_cast<trio::Interrupted>(error))
    return exit_by_signal + interrupted->signal();
  auto const* group = trio::exception_cast<trio::BaseExceptionGroup>(error);
  if (group && group->exceptions().size() == 1)
    return tell(group->exceptions().front(), who, ", in an exception group");
  Look const look = isatty(STDERR_FILENO) ? Look::coloured : Look::plain;
  std::fprintf(stderr, "tractor: %s ended with an error%s: %s", who, where,
               report(error, look).c_str());
  auto const* interrupted = group ? group->find<trio::Interrupted>() : nullptr;
  return interrupted ? exit_by_signal + interrupted->signal() : exit_failure;
}

int run_child() noexcept {
  try {
    auto const specification = runtime::decode_specification(spawn::inherited_specification());
    runtime::set_process_name(specification.id.name);
    // Whoever asks for task trees before we can print one, or when we no longer can, must not end
    // us.
    if (runtime::SignalWatch::is_default(SIGUSR1)) signal(SIGUSR1, SIG_IGN);
    trio::RunOptions options;
    options.sigint = trio::Sigint::interrupts_unless_from_terminal;
    trio::run(options, serve_as_child, specification);
    return 0;
  } catch (...) {
    return tell(std::current_exception(), "this actor");
  }
}

}  // namespace

bool is_root_process() noexcept { return !spawn::was_spawned(); }

void become_actor_if_spawned() {
  if (spawn::was_spawned()) std::exit(run_child());
}

int detail::run_root(RootOptions const& options, std::function<int()> const& main) noexcept {
  try {
    int code = 0;
    trio::run([&] { open_root_actor(options, [&] { code = main(); }); });
    return code;
  } catch (...) {
    return tell(std::current_exception(), "the main function");
  }
}

void detail::open_root_actor(RootOptions const& options, std::function<void()> const& body) {
  if (LocalActor* const present = LocalActor::current_or_null())
    throw RuntimeFailure("tractor: a root actor cannot be opened here, this task is in actor '" +
                         present->name() + "' already");
  if (spawn::was_spawned()) {
    std::fputs(
        "tractor: this process was spawned as an actor, but its main starts a tree of its own: "
        "that "
        "would go on for ever. Start the program with `return tractor::run(amain);`, or make "
        "tractor::become_actor_if_spawned() the first line of main.\n",
        stderr);
    std::fflush(nullptr);
    _exit(exit_not_an_actor);
  }
  auto const actor = LocalActor::begin(std::make_shared<LocalActor>(options));
  trio::CancelScope scope;
  actor->set_body(&scope);
  auto const error = trio::detail::caught_from([&] { static_cast<void>(scope.enter(body)); });
  // A signal may have gone to the whole group, and others said that it has ended them before we
  // were told of ours.
  while (actor->is_pressed() && actor->ended_by_signal() == 0)
    trio::lowlevel::cancel_shielded_checkpoint();
  actor->set_body(nullptr);
  actor->end();
  int const signal = actor->ended_by_signal();
  bool const was_cancelled = error && !trio::split<ContextCancelled>(error).rest;
  if (error && !(signal != 0 && was_cancelled)) std::rethrow_exception(error);
  if (was_cancelled || scope.cancelled_caught()) throw trio::Interrupted(signal);
}

}  // namespace tractor
