// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/actor.hpp>
#include <tractor/expose.hpp>
#include <tractor/log.hpp>

#include <optional>
#include <string>

namespace tractor {

// How the actors of a tree on one host reach each other.
enum class TransportKind : unsigned char {
  // Unix sockets in a private directory, which each actor's scheduler reads itself.
  ipc,
  // ZeroMQ, over the loopback interface.
  tcp,
};

// How to start the root of a tree of actors. Its children inherit the log level, the runtime
// variables and the transport.
struct RootOptions {
  std::string name = "root";
  // Empty: warning. The environment variable TRACTOR_LOGLEVEL overrides either.
  std::optional<LogLevel> log_level = std::nullopt;
  RuntimeVars runtime_vars = {};
  TransportKind transport = TransportKind::ipc;
  // What its children may call here, through current_actor().parent().
  Exposed expose = {};
};

}  // namespace tractor
