// SPDX-License-Identifier: BSL-1.0
#include "../runtime/local_actor.hpp"

#include <tractor/log.hpp>
#include <trio/lowlevel.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <string>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace tractor {

namespace {

constexpr std::array<std::string_view, 10> names = {
    "transport", "debug", "runtime", "devx", "info", "io", "cancel", "warning", "error", "off"};

// For its colour.
spdlog::level::level_enum nearest(LogLevel level) {
  if (level >= LogLevel::error) return spdlog::level::err;
  if (level >= LogLevel::cancel) return spdlog::level::warn;
  if (level >= LogLevel::info) return spdlog::level::info;
  return spdlog::level::debug;
}

}  // namespace

std::string_view name(LogLevel level) { return names[static_cast<std::size_t>(level)]; }

std::optional<LogLevel> log_level_named(std::string_view wanted) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == wanted) return static_cast<LogLevel>(i);
  return std::nullopt;
}

std::shared_ptr<spdlog::logger> make_logger(ActorId const& id) {
  auto logger = std::make_shared<spdlog::logger>(
      describe(id), std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_level(spdlog::level::trace);
  logger->set_pattern("%Y-%m-%d %H:%M:%S.%e [%n] %^%v%$");
  return logger;
}

void log(LogLevel level, std::string_view message) {
  LocalActor* const actor = LocalActor::current_or_null();
  if (level < (actor ? actor->log_level() : LogLevel::warning)) return;
  std::string const task =
      trio::lowlevel::in_task() ? " (task " + trio::lowlevel::current_task().name() + ")" : "";
  auto const logger = actor ? actor->logger() : make_logger({"tractor", {}, 0});
  logger->log(nearest(level), "{}{}: {}", name(level), task, message);
}

}  // namespace tractor
