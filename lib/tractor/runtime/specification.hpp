// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "../wire/message.hpp"

#include <tractor/actor.hpp>
#include <tractor/actor_id.hpp>
#include <tractor/buffer.hpp>
#include <tractor/log.hpp>
#include <tractor/root_options.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace tractor::runtime {

// Everything a new actor is told at its birth. It travels by an inherited descriptor.
struct Specification {
  std::string build_id = {};
  // Its pid it knows itself.
  ActorId id = {};
  ActorId parent = {};
  std::string tree_id = {};
  // What marks it and all that it starts: see spawn/lineage.hpp.
  std::string lineage = {};
  int depth = 0;
  LogLevel log_level = LogLevel::warning;
  RuntimeVars runtime_vars = {};
  // How to reach the parent, and the word that lets it in.
  std::string endpoint = {};
  std::string link_identity = {};
  TransportKind transport = TransportKind::ipc;
  // Where this tree's sockets lie.
  std::string directory = {};
  std::vector<wire::FunctionRef> exposed = {};

  template <class Archive> void serialize(Archive& archive) {
    archive(id, parent, tree_id, lineage, depth, log_level, runtime_vars, endpoint, link_identity,
            transport, directory, exposed);
  }
};

// The build id comes first, and decodes between all versions; the rest only within one. decode
// throws DecodeError.
Buffer encode(Specification const& specification);
Specification decode_specification(std::span<std::byte const> bytes);

}  // namespace tractor::runtime
