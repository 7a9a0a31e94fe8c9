// SPDX-License-Identifier: BSL-1.0
#include <tractor/errors.hpp>

#include <cstring>
#include <string>
#include <utility>

namespace tractor {

namespace {

std::string one_line(BoxedError const& error) {
  std::string text = error.type;
  if (!error.message.empty()) text += ": " + error.message;
  for (BoxedError const& member : error.members) text += "; " + one_line(member);
  return text;
}

std::string what_died(ActorId const& actor, int status, bool signalled) {
  std::string text = "tractor: actor " + describe(actor) + " died: ";
  if (signalled)
    return text + "killed by signal " + std::to_string(status) + " (" + strsignal(status) + ")";
  return text + "its process ended with exit code " + std::to_string(status) +
         " without saying goodbye; see its stderr";
}

}  // namespace

std::string describe(ActorId const& actor) {
  return actor.name + " (pid " + std::to_string(actor.pid) + ")";
}

RemoteActorError::RemoteActorError(BoxedError error)
    : std::runtime_error(one_line(error) + " [thrown in actor " + describe(error.source) + "]"),
      boxed_(std::make_shared<BoxedError const>(std::move(error))) {}

ContextCancelled::ContextCancelled(BoxedError error, trio::CancelReason reason)
    : RemoteActorError(std::move(error)),
      reason_(std::make_shared<trio::CancelReason const>(std::move(reason))) {}

ActorDied::ActorDied(ActorId actor, int status, bool signalled)
    : std::runtime_error(what_died(actor, status, signalled)),
      actor_(std::make_shared<ActorId const>(std::move(actor))),
      status_(status),
      signalled_(signalled) {}

}  // namespace tractor
