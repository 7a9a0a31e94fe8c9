// SPDX-License-Identifier: BSL-1.0
// expect: ok
#include "login.hpp"

Finished<Login, std::string> serve(CalleeDialog<Login> dialog) {
  auto [who, answer] = std::move(dialog).receive();
  if (who.text.empty()) return std::move(answer).send(Denied{"nobody"}).finish("denied");
  std::string stored;
  return std::move(answer).send(Granted{}).serve(
      [&](Get const&, auto rest) { return std::move(rest).send({stored}); },
      [&](Put put, auto rest) {
        stored = put.text;
        return rest;
      },
      [&](Quit&&, auto rest) { return std::move(rest).finish(stored); });
}

// Generic in the protocol that Commands is a part of.
template <class Whole> Finished<Whole> quit(CallerDialog<Whole, Commands> commands) {
  for (int i = 0; i < 3; ++i) {
    auto [value, rest] = std::move(commands).send(Put{"a"}).send(Get{"b"}).receive();
    commands = std::move(rest);
  }
  return std::move(commands).send(Quit{}).finish();
}

Finished<Login> client(CallerDialog<Login> dialog) {
  return std::move(dialog).send({"ann"}).receive(
      [](Denied, auto rest) { return std::move(rest).finish(); },
      [](Granted, auto rest) { return quit(std::move(rest)); });
}

// A loop that is left for what follows, and a choice of the callee that its caller serves.
struct Upload : Protocol<CalleeChooses<Case<Get, ToCallee<Value>, Upload>,
                                       Case<Quit, ToCallee<Put>, ToCaller<Text>>>> {};

Finished<Upload, Text> upload(CallerDialog<Upload> dialog) {
  auto [text, end] = std::move(dialog)
                         .serve([](Get, auto rest) { return std::move(rest).send(Value{"part"}); },
                                [](Quit, auto rest) { return rest; })
                         .send(Put{"all"})
                         .receive();
  return std::move(end).finish(text);
}
