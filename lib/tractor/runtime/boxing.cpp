// SPDX-License-Identifier: BSL-1.0
#include "boxing.hpp"

#include <tractor/detail/type_name.hpp>
#include <tractor/errors.hpp>
#include <trio/cancelled.hpp>
#include <trio/exception_group.hpp>

#include <string>
#include <utility>

namespace tractor::runtime {

namespace {

BoxedError boxed(std::exception_ptr const& error, ActorId const& self) {
  if (auto const* remote = trio::exception_cast<RemoteActorError>(error)) {
    BoxedError passed_on = remote->boxed();
    passed_on.relay_path.push_back(self);
    return passed_on;
  }
  BoxedError box;
  box.type = detail::type_name(*error.__cxa_exception_type());
  box.source = self;
  box.relay_path = {self};
  if (auto const* group = trio::exception_cast<trio::BaseExceptionGroup>(error)) {
    box.message = group->message();
    for (auto const& member : group->exceptions()) box.members.push_back(boxed(member, self));
  } else if (auto const* known = trio::exception_cast<std::exception>(error)) {
    box.message = known->what();
  } else {
    box.message = trio::describe(error);
  }
  return box;
}

}  // namespace

wire::Error box_outcome(std::exception_ptr const& error, std::uint64_t dialog,
                        ActorId const& self) {
  std::exception_ptr first_cancelled;
  auto const rest = trio::detail::sieve(error, [&](std::exception_ptr const& leaf) {
    bool const cancelled = trio::exception_cast<trio::Cancelled>(leaf) != nullptr;
    if (cancelled && !first_cancelled) first_cancelled = leaf;
    return cancelled;
  });
  if (!rest)
    return box_cancelled(trio::exception_cast<trio::Cancelled>(first_cancelled)->reason(), dialog,
                         self);
  wire::Error message;
  message.dialog = dialog;
  message.error = boxed(rest, self);
  return message;
}

wire::Error box_cancelled(trio::CancelReason const& reason, std::uint64_t dialog,
                          ActorId const& self) {
  wire::Error message;
  message.dialog = dialog;
  message.kind = wire::Error::Kind::cancelled;
  message.error.type = "trio::Cancelled";
  message.error.message = trio::describe(reason);
  message.error.source = self;
  message.error.relay_path = {self};
  message.cancel_source = reason.source;
  message.cancel_task = reason.source_task;
  message.cancel_reason = reason.reason;
  return message;
}

std::exception_ptr unbox(wire::Error message) {
  using Kind = wire::Error::Kind;
  switch (message.kind) {
    case Kind::thrown:
      return std::make_exception_ptr(RemoteActorError(std::move(message.error)));
    case Kind::cancelled:
      return std::make_exception_ptr(ContextCancelled(
          std::move(message.error), {message.cancel_source, std::move(message.cancel_task),
                                     std::move(message.cancel_reason)}));
    case Kind::refused:
      break;
  }
  std::string const& why = message.error.message;
  switch (message.because) {
    case wire::RefusedBecause::not_exposed:
      return std::make_exception_ptr(FunctionNotExposed(why));
    case wire::RefusedBecause::unknown:
      return std::make_exception_ptr(UnknownFunction(why));
    case wire::RefusedBecause::signature:
      return std::make_exception_ptr(SignatureMismatch(why));
    case wire::RefusedBecause::cancelled:
      return std::make_exception_ptr(ActorCancelled(why));
  }
  return std::make_exception_ptr(CallRefused(why));
}

}  // namespace tractor::runtime
