// SPDX-License-Identifier: BSL-1.0
#include "context_core.hpp"

#include <tractor/context.hpp>

#include <utility>

namespace tractor {

char const* describe(ContextState state) noexcept {
  switch (state) {
    case ContextState::starting:
      return "starting";
    case ContextState::started:
      return "started";
    case ContextState::streaming:
      return "streaming";
    case ContextState::streaming_finished:
      return "streaming-finished";
    case ContextState::self_cancelled:
      return "self-cancelled";
    case ContextState::peer_cancelled:
      return "peer-cancelled";
    case ContextState::actor_cancelled:
      return "actor-cancelled";
    case ContextState::errored:
      return "errored";
    case ContextState::returned:
      return "returned";
  }
  return "?";
}

ActorId const& ContextBase::actor() const noexcept { return core_->other(); }

ContextState ContextBase::state() const { return core_->state(); }

std::exception_ptr ContextBase::error() const noexcept { return core_->error(); }

bool ContextBase::cancel_called() const noexcept { return core_->cancel_called(); }

std::optional<ActorId> ContextBase::canceller() const { return core_->canceller(); }

void ContextBase::start(Buffer value) { core_->start(std::move(value)); }

void ContextBase::cancel_callee(std::string reason) { core_->cancel_callee(std::move(reason)); }

void ContextBase::cancel_caller(std::string reason, trio::Duration timeout) {
  auto const kept = core_;
  kept->cancel_caller(std::move(reason), timeout);
}

void ContextBase::open(StreamOptions const& options) { core_->open_stream(options); }

std::span<std::byte const> ContextBase::wait_for_result(bool has_value) {
  auto const kept = core_;
  return kept->wait_for_result(has_value);
}

std::optional<std::span<std::byte const>> ContextBase::result_if_there() const noexcept {
  return core_->result();
}

void detail::start_without_value(runtime::ContextCore& core) { core.start(Buffer()); }

}  // namespace tractor
