// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <string>

#include <sys/types.h>

namespace tractor {

// Which actor: a name for people, not unique; and a number that never names another one.
struct ActorId {
  std::string name = {};
  std::string uuid = {};
  pid_t pid = 0;

  friend bool operator==(ActorId const& a, ActorId const& b) { return a.uuid == b.uuid; }

  template <class Archive> void serialize(Archive& archive) { archive(name, uuid, pid); }
};

// "worker_1 (pid 4711)".
std::string describe(ActorId const& actor);

}  // namespace tractor
