// SPDX-License-Identifier: BSL-1.0
// What the compiler does not see in a dialog, clang-tidy does: a step taken twice.
#include <tractor/dialog.hpp>

#include <utility>

using namespace tractor;

struct Word {
  template <class Archive> void serialize(Archive&) {}
};

struct Ping : Word {};

struct Pong : Word {};

struct Stop : Word {};

struct PingPong : Protocol<CallerChooses<Case<Ping, ToCaller<Pong>, PingPong>, Case<Stop>>> {};

// All is well.
Finished<PingPong> play(CallerDialog<PingPong> dialog) {
  for (int i = 0; i < 3; ++i) {
    auto [pong, rest] = std::move(dialog).send(Ping{}).receive();
    dialog = std::move(rest);
  }
  return std::move(dialog).send(Stop{}).finish();
}

Finished<PingPong> play_foul(CallerDialog<PingPong> dialog) {
  auto [pong, rest] = std::move(dialog).send(Ping{}).receive();
  return std::move(dialog).send(Stop{}).finish();  // finding
}
