// SPDX-License-Identifier: BSL-1.0
// A login, then commands, with a session type: each side can only say what the protocol has next.
#include <tractor/tractor.hpp>

#include <map>
#include <string>
#include <utility>

#include <fmt/core.h>

using namespace tractor;

struct Credentials {
  std::string user = {};
  std::string password = {};

  template <class Archive> void serialize(Archive& archive) { archive(user, password); }
};

struct Text {
  std::string text = {};

  template <class Archive> void serialize(Archive& archive) { archive(text); }
};

struct Denied : Text {};

struct Granted : Text {};

struct Get : Text {};

struct Value : Text {};

struct Put {
  std::string key = {};
  std::string value = {};

  template <class Archive> void serialize(Archive& archive) { archive(key, value); }
};

struct Quit : Text {};

struct Commands
    : Protocol<
          CallerChooses<Case<Get, ToCaller<Value>, Commands>, Case<Put, Commands>, Case<Quit>>> {};

struct Login
    : Protocol<ToCallee<Credentials>, CalleeChooses<Case<Denied>, Case<Granted, Commands>>> {};

// Runs in the actor; its result is how many commands it has carried out.
Finished<Login, int> serve(CalleeDialog<Login> dialog) {
  auto [who, answer] = std::move(dialog).receive();
  if (who.password != "sesame")
    return std::move(answer).send(Denied{"no user " + who.user}).finish(0);
  std::map<std::string, std::string> store;
  int commands = 0;
  return std::move(answer)
      .send(Granted{"hello, " + who.user})
      .serve(
          [&](Get get, auto rest) {
            ++commands;
            return std::move(rest).send(Value{store[get.text]});
          },
          [&](Put put, auto rest) {
            ++commands;
            store[put.key] = put.value;
            return rest;
          },
          [&](Quit, auto rest) { return std::move(rest).finish(commands); });
}

Finished<Login> use_store(CallerDialog<Login, Commands> commands) {
  for (std::string const word : {"one", "two"}) {
    auto [value, rest] = std::move(commands).send(Put{"last", word}).send(Get{"last"}).receive();
    fmt::print("last is {}\n", value.text);
    commands = std::move(rest);
  }
  return std::move(commands).send(Quit{}).finish();
}

Finished<Login> log_in(CallerDialog<Login> dialog, std::string const& password) {
  return std::move(dialog)
      .send({"ann", password})
      .receive(
          [](Denied denied, auto rest) {
            fmt::print("denied: {}\n", denied.text);
            return std::move(rest).finish();
          },
          [](Granted granted, auto commands) {
            fmt::print("granted: {}\n", granted.text);
            return use_store(std::move(commands));
          });
}

void amain() {
  open_nursery([](ActorNursery& nursery) {
    auto portal = nursery.start_actor("server", expose<serve>);
    for (std::string const password : {"guess", "sesame"}) {
      int const commands = portal.open_dialog<serve>(
          [&](auto dialog) { return log_in(std::move(dialog), password); });
      fmt::print("{} commands\n", commands);
    }
    portal.cancel_actor();
  });
}

int main() { return run(amain); }
