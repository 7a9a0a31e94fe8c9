// SPDX-License-Identifier: BSL-1.0
#include "boxing.hpp"

#include <tractor/detail/type_name.hpp>
#include <tractor/error_types.hpp>
#include <tractor/errors.hpp>
#include <tractor/expose.hpp>
#include <tractor/log.hpp>
#include <tractor/wire_errors.hpp>
#include <trio/cancelled.hpp>
#include <trio/exception_group.hpp>
#include <trio/stack_trace.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace tractor::runtime {

namespace {

// Groups nest a level for each nursery on the way; beyond this they are told as text, so that the
// message stays within the archive's own bound.
constexpr int deepest_group = 40;

// `room`: how many levels of members may be kept.
void pass_on(BoxedError& error, ActorId const& self, int room) {
  error.relay_path.push_back(self);
  if (room <= 0 && !error.members.empty()) {
    error.message += " (" + std::to_string(error.members.size()) + " errors, nested too deep)";
    error.members.clear();
  }
  for (BoxedError& member : error.members) pass_on(member, self, room - 1);
}

void add_fields(BoxedError& box, std::exception_ptr const& error) {
  std::type_info const& thrown = *error.__cxa_exception_type();
  ErrorType const* type = ErrorType::find(thrown);
  if (!type) return;
  try {
    box.fields = type->save(error);
    box.fields_hash = type->fields_hash();
    box.registered_as = thrown.name();
  } catch (...) {
    // What a type's own serialize throws must not stand in the way of the error itself.
    log(LogLevel::error,
        "cannot serialise " + box.type + ": " + trio::describe(std::current_exception()));
  }
}

BoxedError boxed(std::exception_ptr const& error, std::string const& function, ActorId const& self,
                 int depth) {
  if (auto const* remote = trio::exception_cast<RemoteOrigin>(error)) {
    BoxedError passed_on = remote->boxed();
    pass_on(passed_on, self, deepest_group - depth);
    return passed_on;
  }
  BoxedError box;
  box.type = detail::type_name(*error.__cxa_exception_type());
  box.source = self;
  box.function = function;
  box.relay_path = {self};
  box.build_id = build_id();
  box.stack = trio::frames_of(trio::thrown_at(error));
  if (auto const* group = trio::exception_cast<trio::BaseExceptionGroup>(error)) {
    if (depth == deepest_group) {
      box.message = group->report();
      return box;
    }
    box.message = group->message();
    for (auto const& member : group->exceptions())
      box.members.push_back(boxed(member, function, self, depth + 1));
  } else if (auto const* known = trio::exception_cast<std::exception>(error)) {
    box.message = known->what();
  } else {
    box.message = trio::describe(error);
  }
  add_fields(box, error);
  return box;
}

// For those whose program has other addresses.
void symbolize(BoxedError& error) {
  if (error.build_id == build_id()) trio::symbolize(error.stack);
  for (BoxedError& member : error.members) symbolize(member);
}

}  // namespace

wire::Error box_outcome(std::exception_ptr const& error, std::string const& function,
                        std::uint64_t dialog, ActorId const& self, bool same_build,
                        Cancellation cancellation) {
  std::exception_ptr first_cancelled;
  auto const rest = trio::detail::sieve(error, [&](std::exception_ptr const& leaf) {
    bool const cancelled = trio::exception_cast<trio::Cancelled>(leaf) != nullptr;
    if (cancelled && !first_cancelled) first_cancelled = leaf;
    return cancelled;
  });
  if (rest) return box_error(rest, function, dialog, self, same_build);
  cancellation.reason = trio::exception_cast<trio::Cancelled>(first_cancelled)->reason();
  return box_cancelled(std::move(cancellation), dialog, self);
}

wire::Error box_error(std::exception_ptr const& error, std::string const& function,
                      std::uint64_t dialog, ActorId const& self, bool same_build) {
  wire::Error message;
  message.dialog = dialog;
  message.error = boxed(error, function, self, 0);
  if (!same_build) symbolize(message.error);
  return message;
}

wire::Error box_cancelled(Cancellation cancellation, std::uint64_t dialog, ActorId const& self) {
  wire::Error message;
  message.dialog = dialog;
  message.kind = wire::Error::Kind::cancelled;
  message.error.type = "trio::Cancelled";
  message.error.message = (cancellation.canceller == self
                               ? "it cancelled itself"
                               : "cancelled by actor " + describe(cancellation.canceller) +
                                     (cancellation.of_actor ? ", with all of its actor" : "")) +
                          ": " + trio::describe(cancellation.reason);
  message.error.source = self;
  message.error.relay_path = {self};
  message.error.cancellation = std::move(cancellation);
  return message;
}

namespace {

std::exception_ptr single_thrown_there(BoxedError error) {
  if (error.cancellation) return std::make_exception_ptr(ContextCancelled(std::move(error)));
  ErrorType const* type =
      error.registered_as.empty() ? nullptr : ErrorType::find(error.registered_as);
  if (type && type->fields_hash() == error.fields_hash) {
    try {
      return type->load(error);
    } catch (...) {
      // What the type's own serialize or constructor throws, too: the error's name, text and stack
      // are still worth having.
    }
  }
  return std::make_exception_ptr(RemoteActorError(std::move(error)));
}

// A group again, that also knows where it comes from.
std::exception_ptr group_thrown_there(BoxedError error, std::vector<std::exception_ptr> members) {
  auto const is_error = [](std::exception_ptr const& member) {
    return trio::exception_cast<std::exception>(member) != nullptr;
  };
  std::string const message = error.message;
  if (std::all_of(members.begin(), members.end(), is_error))
    return std::make_exception_ptr(
        Relayed(trio::ExceptionGroup(message, std::move(members)), std::move(error)));
  return std::make_exception_ptr(
      Relayed(trio::BaseExceptionGroup(message, std::move(members)), std::move(error)));
}

// Not recursive: how deep groups nest is the peer's choice, and a task's stack is small.
std::exception_ptr thrown_there(BoxedError error) {
  if (error.members.empty()) return single_thrown_there(std::move(error));

  struct OpenGroup {
    BoxedError const* box;
    std::vector<std::exception_ptr> members = {};
  };

  std::vector<OpenGroup> open;
  open.push_back({&error});
  for (;;) {
    OpenGroup& group = open.back();
    if (group.members.size() < group.box->members.size()) {
      BoxedError const& next = group.box->members[group.members.size()];
      if (next.members.empty())
        group.members.push_back(single_thrown_there(next));
      else
        open.push_back({&next});
      continue;
    }
    auto made = group_thrown_there(*group.box, std::move(group.members));
    open.pop_back();
    if (open.empty()) return made;
    open.back().members.push_back(std::move(made));
  }
}

std::exception_ptr mismatch(BoxedError const& error) {
  Signatures signatures;
  try {
    signatures = decode<Signatures>(std::as_bytes(std::span(error.fields)));
  } catch (DecodeError const&) {
    // What it says is still worth having.
  }
  return std::make_exception_ptr(SignatureMismatch(error.message, std::move(signatures.expected),
                                                   std::move(signatures.received)));
}

}  // namespace

std::string box_signatures(Signatures const& signatures) {
  Buffer const bytes = encode(signatures);
  return std::string(reinterpret_cast<char const*>(bytes.data()), bytes.size());
}

std::exception_ptr unbox(wire::Error message) {
  using Kind = wire::Error::Kind;
  switch (message.kind) {
    case Kind::cancelled:
      // Whose source says by whom, if nobody else does.
      if (!message.error.cancellation)
        message.error.cancellation = Cancellation{message.error.source, false, {}};
      [[fallthrough]];
    case Kind::thrown:
      return thrown_there(std::move(message.error));
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
      return mismatch(message.error);
    case wire::RefusedBecause::cancelled:
      return std::make_exception_ptr(ActorCancelled(why));
    case wire::RefusedBecause::wrong_kind:
      break;
  }
  return std::make_exception_ptr(CallRefused(why));
}

}  // namespace tractor::runtime
