// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <optional>
#include <string_view>

namespace tractor {

// How much an actor says on stderr, least important first. Mirrors tractor's own levels.
enum class LogLevel : unsigned char {
  transport,
  debug,
  runtime,
  devx,
  info,
  io,
  cancel,
  warning,
  error,
  off,
};

// What it is called: "cancel". Never a checkpoint, as nothing here.
std::string_view name(LogLevel level);
// The level of that name ("cancel"), or empty.
std::optional<LogLevel> log_level_named(std::string_view name);

// Writes one line to stderr, with the actor's name, the task's and the time, if the current actor's
// level lets it through; outside of an actor, if it is a warning or worse. Not a checkpoint.
void log(LogLevel level, std::string_view message);

}  // namespace tractor
