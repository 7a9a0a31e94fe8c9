// SPDX-License-Identifier: BSL-1.0
#include <tractor/errors.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace tractor {

namespace {

// As a shell has it for what cannot be executed.
constexpr int exit_cannot_execute = 126;
// What what() shows of the last words; stderr_tail() has more.
constexpr std::size_t longest_words = 2000;

std::string last_words(std::string_view tail) {
  if (tail.size() > longest_words) tail.remove_prefix(tail.size() - longest_words);
  std::string text;
  while (!tail.empty()) {
    auto const end = std::min(tail.find('\n'), tail.size());
    text.append("\n  | ").append(tail.substr(0, end));
    tail.remove_prefix(std::min(end + 1, tail.size()));
  }
  return text.empty() ? "" : "; the end of its stderr:" + text;
}

std::string how_it_died(int status, bool signalled) {
  if (signalled)
    return "killed by signal " + std::to_string(status) + " (" + strsignal(status) + ")";
  if (status < 0) return "its process is gone, and somebody else took its exit code";
  return "its process ended with exit code " + std::to_string(status) + " without saying goodbye";
}

}  // namespace

std::string describe(ActorId const& actor) {
  return actor.name + " (pid " + std::to_string(actor.pid) + ")";
}

MsgTypeError::MsgTypeError(std::string const& what, std::string expected, std::string received)
    : std::runtime_error(what),
      sides_(std::make_shared<Sides const>(Sides{std::move(expected), std::move(received)})) {}

ActorDied::ActorDied(ActorId actor, int status, bool signalled, std::string const& cause,
                     std::string stderr_tail)
    : std::runtime_error("tractor: actor " + describe(actor) +
                         " died: " + (cause.empty() ? how_it_died(status, signalled) : cause) +
                         last_words(stderr_tail)),
      last_(std::make_shared<Last const>(Last{std::move(actor), std::move(stderr_tail)})),
      status_(status),
      signalled_(signalled) {}

ActorDied::ActorDied(std::string const& what)
    : std::runtime_error(what),
      last_(std::make_shared<Last const>()),
      status_(exit_cannot_execute),
      signalled_(false) {}

}  // namespace tractor
