// SPDX-License-Identifier: BSL-1.0
#include "child.hpp"
#include "peer.hpp"

#include <tractor/portal.hpp>
#include <trio/cancel_scope.hpp>
#include <trio/errors.hpp>
#include <trio/lowlevel.hpp>

#include <chrono>
#include <stdexcept>
#include <utility>

namespace tractor {

Buffer Portal::call(FunctionId const& function, Buffer arguments) const {
  return peer_->call(function, std::move(arguments), options_.cancel_patience);
}

void Portal::open(FunctionId const& function, Buffer arguments, ContextBody const& body) const {
  peer_->open_context(function, std::move(arguments), options_.cancel_patience, body);
}

bool Portal::cancel_actor(CancelActorOptions options) const {
  if (options.timeout < trio::Duration(std::chrono::nanoseconds(0)))
    throw std::invalid_argument("tractor: cancel_actor(): the timeout is negative");
  trio::lowlevel::checkpoint_if_cancelled();
  peer_->request_cancel("cancel_actor() by task " + trio::lowlevel::current_task().name());
  static_cast<void>(trio::move_on_after(options.timeout, [&] { peer_->over().wait(); }));
  return peer_->is_over();
}

ActorId const& Portal::actor() const { return peer_->id(); }

std::size_t Portal::open_calls() const { return peer_->open_calls(); }

std::size_t Portal::open_tasks() const { return peer_->open_tasks(); }

void detail::throw_context_was_cut_short() {
  throw trio::MisuseError(
      "tractor: the body of a context was cut short, as the context was cancelled, before it had "
      "returned its value; let it return void or a std::optional");
}

std::span<std::byte const> detail::wait_for_result(runtime::Outcome& outcome) {
  if (trio::lowlevel::in_task())
    outcome.done.wait();
  else if (!outcome.done.is_set())
    throw NoRuntime("tractor: result(): waiting for a result takes a task, inside trio::run");
  if (outcome.error) std::rethrow_exception(outcome.error);
  return outcome.result.bytes();
}

}  // namespace tractor
