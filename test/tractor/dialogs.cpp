// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <csignal>
#include <cstdlib>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using support::group_thrown_by;
using support::in_root;
using support::thrown_by;
using tractor::CalleeChooses;
using tractor::CalleeDialog;
using tractor::CallerChooses;
using tractor::CallerDialog;
using tractor::Case;
using tractor::Finished;
using tractor::Protocol;
using tractor::ToCallee;
using tractor::ToCaller;

namespace dialogs {

struct Text {
  std::string text = {};

  template <class Archive> void serialize(Archive& archive) { archive(text); }
};

struct Credentials : Text {};

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

// How many commands there were.
Finished<Login, int> serve(CalleeDialog<Login> dialog, std::string_view password) {
  auto [who, answer] = std::move(dialog).receive();
  if (who.text != password) return std::move(answer).send(Denied{"no"}).finish(0);
  std::map<std::string, std::string> store;
  int commands = 0;
  return std::move(answer)
      .send(Granted{who.text})
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

// Each question is answered, until the caller has none.
struct Asking : Protocol<CallerChooses<Case<Get, ToCaller<Value>, Asking>, Case<Quit>>> {};

// How the last answer() ended.
std::string last_end = "none";

std::string end_of_last() { return last_end; }

// Answers what it is asked, or does as it is told.
Finished<Asking> answer(CalleeDialog<Asking> dialog) {
  struct Noted {
    int exceptions = std::uncaught_exceptions();

    ~Noted() { last_end = std::uncaught_exceptions() > exceptions ? "by an exception" : "cleanly"; }
  } const noted;

  return std::move(dialog).serve(
      [](Get get, auto rest) {
        if (get.text == "throw") throw std::domain_error("asked to");
        if (get.text == "die") std::raise(SIGKILL);
        return std::move(rest).send(Value{get.text});
      },
      [](Quit, auto rest) { return std::move(rest).finish(); });
}

// Has forgotten what it is for.
Finished<Asking> drop(CalleeDialog<Asking> dialog) {
  { auto const dropped = std::move(dialog); }
  trio::sleep_forever();
}

// One message to and fro, and both have something to tell.
struct Sum : Protocol<ToCallee<int>, ToCaller<int>> {};

Finished<Sum, std::string> add(CalleeDialog<Sum> dialog, int a) {
  auto [b, rest] = std::move(dialog).receive();
  return std::move(rest).send(a + b).finish("added");
}

}  // namespace dialogs

using namespace dialogs;

namespace {

auto const exposed = tractor::expose<serve, answer, drop, end_of_last, add>;

template <class Body> void with_daemon(Body body) { support::with_daemon(exposed, body); }

Finished<Asking> quit(CallerDialog<Asking> dialog) {
  return std::move(dialog).send(Quit{}).finish();
}

}  // namespace

TEST_CASE("a dialog with another actor goes its way; open_dialog returns what F finished with") {
  with_daemon([](tractor::Portal daemon) {
    std::vector<std::string> values;
    auto const log_in = [&](std::string const& password) {
      return daemon.open_dialog<serve>("sesame", [&](auto dialog) {
        return std::move(dialog)
            .send({password})
            .receive([](Denied, auto rest) { return std::move(rest).finish(); },
                     [&](Granted granted, auto commands) {
                       CHECK(granted.text == password);
                       for (std::string const key : {"a", "b"}) {
                         auto [value, rest] =
                             std::move(commands).send(Put{key, key + key}).send(Get{"a"}).receive();
                         values.push_back(value.text);
                         commands = std::move(rest);
                       }
                       return std::move(commands).send(Quit{}).finish();
                     });
      });
    };
    CHECK(log_in("sesame") == 4);
    CHECK(values == std::vector<std::string>{"aa", "aa"});
    CHECK(log_in("guess") == 0);
  });
}

TEST_CASE("the body may finish with a value, too") {
  with_daemon([](tractor::Portal daemon) {
    auto const both = daemon.open_dialog<add>(3, [](auto dialog) {
      auto [sum, end] = std::move(dialog).send(4).receive();
      return std::move(end).finish(sum);
    });
    CHECK(both == std::pair<int, std::string>(7, "added"));
    int const asked = daemon.open_dialog<answer>([](auto dialog) {
      auto [value, rest] = std::move(dialog).send(Get{"a"}).receive();
      CHECK(value.text == "a");
      return std::move(rest).send(Quit{}).finish(1);
    });
    CHECK(asked == 1);
    CHECK(daemon.run<end_of_last>() == "cleanly");
  });
}

TEST_CASE("many dialogs go on at once, each in its order") {
  with_daemon([](tractor::Portal daemon) {
    std::vector<int> answers(20);
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int client = 0; client < 20; ++client) {
        nursery.start_soon([&, client] {
          daemon.open_dialog<answer>([&](CallerDialog<Asking> dialog) {
            for (int i = 0; i < 20; ++i) {
              auto const text = std::to_string(client) + "." + std::to_string(i);
              auto [value, rest] = std::move(dialog).send(Get{text}).receive();
              if (value.text == text) ++answers[client];
              dialog = std::move(rest);
            }
            return quit(std::move(dialog));
          });
        });
      }
    });
    CHECK(answers == std::vector<int>(20, 20));
  });
}

TEST_CASE("an error of the endpoint ends the dialog for its caller, who waits for an answer") {
  with_daemon([](tractor::Portal daemon) {
    auto const error = thrown_by([&] {
      daemon.open_dialog<answer>([](auto dialog) {
        auto [value, rest] = std::move(dialog).send(Get{"throw"}).receive();
        FAIL("there is no answer");
        return std::move(rest).send(Quit{}).finish();
      });
    });
    auto const* remote = trio::exception_cast<tractor::RemoteActorError>(error);
    REQUIRE(remote);
    CHECK(std::string(remote->what()).find("asked to") != std::string::npos);
  });
}

TEST_CASE("a body that leaves by an exception breaks the dialog off: no clean end over there") {
  with_daemon([](tractor::Portal daemon) {
    auto const error = thrown_by([&] {
      daemon.open_dialog<answer>([](auto dialog) -> Finished<Asking> {
        auto [value, rest] = std::move(dialog).send(Get{"a"}).receive();
        throw std::domain_error("enough");
      });
    });
    CHECK(trio::exception_cast<std::domain_error>(error));
    CHECK(daemon.run<end_of_last>() == "by an exception");
  });
}

TEST_CASE("a body that is cancelled breaks the dialog off") {
  with_daemon([](tractor::Portal daemon) {
    trio::CancelScope scope;
    static_cast<void>(scope.enter([&] {
      daemon.open_dialog<answer>([&](auto dialog) {
        auto [value, rest] = std::move(dialog).send(Get{"a"}).receive();
        scope.cancel();
        auto [never, more] = std::move(rest).send(Get{"b"}).receive();
        return std::move(more).send(Quit{}).finish();
      });
    }));
    CHECK(scope.cancelled_caught());
    CHECK(daemon.run<end_of_last>() == "by an exception");
  });
}

TEST_CASE("a body that drops its dialog and stays is told that it was broken off") {
  with_daemon([](tractor::Portal daemon) {
    auto const error = thrown_by([&] {
      daemon.open_dialog<answer>([](auto dialog) -> Finished<Asking> {
        { auto const dropped = std::move(dialog); }
        trio::sleep_forever();
      });
    });
    CHECK(trio::exception_cast<tractor::ContextCancelled>(error));
    CHECK(daemon.run<end_of_last>() == "by an exception");
  });
}

TEST_CASE("an endpoint that drops its dialog and stays breaks it off for its caller") {
  with_daemon([](tractor::Portal daemon) {
    auto const error = thrown_by([&] {
      daemon.open_dialog<drop>([](auto dialog) {
        auto [value, rest] = std::move(dialog).send(Get{"a"}).receive();
        return std::move(rest).send(Quit{}).finish();
      });
    });
    auto const* cancelled = trio::exception_cast<tractor::ContextCancelled>(error);
    REQUIRE(cancelled);
    CHECK(std::string(cancelled->what()).find("it let dialog dialogs::Asking go") !=
          std::string::npos);
  });
}

TEST_CASE("the end of another dialog is no end of this one") {
  with_daemon([](tractor::Portal daemon) {
    auto const error = thrown_by([&] {
      daemon.open_dialog<answer>([&](auto outer) {
        std::optional<Finished<Asking>> other;
        auto const inner_error = thrown_by([&] {
          daemon.open_dialog<answer>([&](auto inner) {
            other.emplace(quit(std::move(inner)));
            return quit(std::move(outer));
          });
        });
        CHECK(trio::exception_cast<tractor::DialogMisuse>(inner_error));
        return std::move(*other);
      });
    });
    auto const* misuse = trio::exception_cast<tractor::DialogMisuse>(error);
    REQUIRE(misuse);
    CHECK(std::string(misuse->what()).find("is of another dialog") != std::string::npos);
  });
}

TEST_CASE("an actor that dies in a dialog is noticed by who waits in it") {
  in_root([] {
    auto const group = group_thrown_by([] {
      tractor::open_nursery([](tractor::ActorNursery& nursery) {
        auto daemon = nursery.start_actor("daemon", exposed);
        auto const error = thrown_by([&] {
          daemon.open_dialog<answer>([](auto dialog) {
            auto [value, rest] = std::move(dialog).send(Get{"die"}).receive();
            return std::move(rest).send(Quit{}).finish();
          });
        });
        CHECK(error);
        std::rethrow_exception(error);
      });
    });
    CHECK(group.find<tractor::ActorDied>());
  });
}

TEST_CASE("the signature of an endpoint has the whole protocol") {
  CHECK(tractor::signature_text<add>() ==
        "string (dialog<0 caller: i32 1; 1 callee: i32 2; 2 end>; i32)");
}
