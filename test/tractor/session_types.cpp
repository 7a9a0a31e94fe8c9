// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <trio/memory_channel.hpp>
#include <trio/testing.hpp>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using support::thrown_by;
using tractor::automaton_of;
using tractor::Buffer;
using tractor::CalleeChooses;
using tractor::CalleeDialog;
using tractor::CallerChooses;
using tractor::CallerDialog;
using tractor::Case;
using tractor::DialogMisuse;
using tractor::encode;
using tractor::Finished;
using tractor::MsgTypeError;
using tractor::Protocol;
using tractor::Role;
using tractor::ToCallee;
using tractor::ToCaller;
using tractor::detail::DialogCore;
using tractor::detail::DialogHold;
using tractor::detail::FinishedAccess;

namespace sessions {

struct Credentials {
  std::string user = {};
  std::string password = {};

  template <class Archive> void serialize(Archive& archive) { archive(user, password); }
};

struct Denied {
  std::string why = {};

  template <class Archive> void serialize(Archive& archive) { archive(why); }
};

struct Granted {
  int session = 0;

  template <class Archive> void serialize(Archive& archive) { archive(session); }
};

struct Get {
  std::string key = {};

  template <class Archive> void serialize(Archive& archive) { archive(key); }
};

struct Value {
  std::optional<std::string> value = {};

  template <class Archive> void serialize(Archive& archive) { archive(value); }
};

struct Put {
  std::string key = {};
  std::string value = {};

  template <class Archive> void serialize(Archive& archive) { archive(key, value); }
};

struct Quit {
  template <class Archive> void serialize(Archive&) {}
};

struct Commands
    : Protocol<
          CallerChooses<Case<Get, ToCaller<Value>, Commands>, Case<Put, Commands>, Case<Quit>>> {};

struct Login
    : Protocol<ToCallee<Credentials>, CalleeChooses<Case<Denied>, Case<Granted, Commands>>> {};

// Parts until the callee has enough, then how many there were.
struct Part {
  std::string text = {};

  template <class Archive> void serialize(Archive& archive) { archive(text); }
};

struct More : Quit {};

struct Enough : Quit {};

struct Upload
    : Protocol<CalleeChooses<Case<More, ToCallee<Part>, Upload>, Case<Enough, ToCaller<int>>>> {};

struct Nested {
  std::vector<Nested> within = {};

  template <class Archive> void serialize(Archive& archive) { archive(within); }
};

struct Deep : Protocol<ToCallee<Nested>> {};

}  // namespace sessions

using namespace sessions;

namespace {

// What one side has said to the other.
struct Line {
  trio::MemoryChannelPair<Buffer> messages = trio::open_memory_channel<Buffer>(16);
  bool closed = false;
  bool aborted = false;
  std::string cancelled_because = {};
};

struct Lines {
  Line to_callee = {};
  Line to_caller = {};
};

struct Aborted : std::exception {};

// A channel within one process.
class LocalChannel final : public tractor::detail::DialogChannel {
 public:
  LocalChannel(std::shared_ptr<Lines> lines, Role role)
      : lines_(std::move(lines)),
        out_(role == Role::caller ? lines_->to_callee : lines_->to_caller),
        in_(role == Role::caller ? lines_->to_caller : lines_->to_callee) {}

  void send(Buffer message) override { out_.messages.sender.send(std::move(message)); }

  std::optional<Buffer> receive() override {
    try {
      return in_.messages.receiver.receive();
    } catch (trio::EndOfChannel const&) {
      if (in_.aborted) throw Aborted();
      return std::nullopt;
    }
  }

  void close() noexcept override {
    out_.closed = true;
    out_.messages.sender.close();
  }

  void abort() noexcept override {
    out_.aborted = true;
    out_.messages.sender.close();
  }

  void cancel_callee(std::string reason) override { out_.cancelled_because = std::move(reason); }

  std::string peer() const override { return "actor peer"; }

 private:
  std::shared_ptr<Lines> const lines_;
  Line& out_;
  Line& in_;
};

// Both ends of a dialog of protocol P.
template <class P> struct Ends {
  std::shared_ptr<Lines> lines = std::make_shared<Lines>();
  std::shared_ptr<DialogCore> caller = core(Role::caller);
  std::shared_ptr<DialogCore> callee = core(Role::callee);

  std::shared_ptr<DialogCore> core(Role role) const {
    return std::make_shared<DialogCore>(automaton_of<P>, role,
                                        std::make_unique<LocalChannel>(lines, role));
  }

  CallerDialog<P> at_caller() const { return CallerDialog<P>(DialogHold(caller)); }

  CalleeDialog<P> at_callee() const { return CalleeDialog<P>(DialogHold(callee)); }

  // What the callee gets to see, whatever its caller is.
  template <class... T> void tell_callee(T const&... values) const {
    lines->to_callee.messages.sender.send_nowait(encode(values...));
  }
};

template <class P, class R> R result_of_end(DialogCore const& core, Finished<P, R> finished) {
  return FinishedAccess::take(core, std::move(finished));
}

Finished<Login, std::string> serve(CalleeDialog<Login> dialog) {
  auto [who, answer] = std::move(dialog).receive();
  if (who.password != "sesame")
    return std::move(answer).send(Denied{"no such user"}).finish("denied");
  std::map<std::string, std::string> store;
  return std::move(answer)
      .send(Granted{7})
      .serve(
          [&](Get const& get, auto rest) {
            auto const found = store.find(get.key);
            return std::move(rest).send(Value{
                found == store.end() ? std::nullopt : std::optional<std::string>(found->second)});
          },
          [&](Put put, auto rest) {
            store[put.key] = put.value;
            return rest;
          },
          [&](Quit, auto rest) { return std::move(rest).finish(who.user + " has quit"); });
}

// On a clock that jumps over every wait.
template <class Caller, class Callee> void both(Caller caller, Callee callee) {
  trio::testing::MockClock clock = trio::testing::MockClock::autojumping();
  trio::run(trio::RunOptions{.clock = &clock}, [&] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon(caller);
      nursery.start_soon(callee);
    });
  });
}

std::string what(std::exception_ptr const& error) { return trio::describe(error); }

}  // namespace

TEST_CASE("a dialog goes its way to the end, with choices and a loop; finish gives its result") {
  Ends<Login> const ends;
  std::vector<std::optional<std::string>> values;
  std::string callee_result;
  int session = 0;
  both(
      [&] {
        int const messages = result_of_end(
            *ends.caller,
            ends.at_caller()
                .send({"ann", "sesame"})
                .receive([](Denied, auto rest) { return std::move(rest).finish(-1); },
                         [&](Granted granted, auto commands) {
                           session = granted.session;
                           for (std::string const key : {"k", "l"}) {
                             auto [value, rest] =
                                 std::move(commands).send(Put{"k", "v"}).send(Get{key}).receive();
                             values.push_back(value.value);
                             commands = std::move(rest);
                           }
                           return std::move(commands).send(Quit{}).finish(7);
                         }));
        CHECK(messages == 7);
      },
      [&] { callee_result = result_of_end(*ends.callee, serve(ends.at_callee())); });
  CHECK(session == 7);
  CHECK(values == std::vector<std::optional<std::string>>{"v", std::nullopt});
  CHECK(callee_result == "ann has quit");
  CHECK(ends.lines->to_callee.closed);
  CHECK(ends.lines->to_caller.closed);
  CHECK(!ends.lines->to_callee.aborted);
  CHECK(!ends.lines->to_caller.aborted);
}

TEST_CASE("the other case of a choice ends the same dialog elsewhere") {
  Ends<Login> const ends;
  std::string why;
  both(
      [&] {
        result_of_end(*ends.caller, ends.at_caller()
                                        .send({"ann", "guess"})
                                        .receive(
                                            [&](Denied denied, auto rest) {
                                              why = denied.why;
                                              return std::move(rest).finish();
                                            },
                                            [](Granted, auto rest) {
                                              return std::move(rest).send(Quit{}).finish();
                                            }));
      },
      [&] { CHECK(result_of_end(*ends.callee, serve(ends.at_callee())) == "denied"); });
  CHECK(why == "no such user");
}

TEST_CASE("serve goes on after its loop where a handler leads out of it; the callee may choose") {
  Ends<Upload> const ends;
  std::vector<std::string> parts;
  both(
      [&] {
        int sent = 0;
        auto [count, end] = ends.at_caller()
                                .serve(
                                    [&](More, auto rest) {
                                      ++sent;
                                      return std::move(rest).send(Part{std::to_string(sent)});
                                    },
                                    [](Enough, auto rest) { return rest; })
                                .receive();
        CHECK(count == 3);
        CHECK(sent == 3);
        result_of_end(*ends.caller, std::move(end).finish());
      },
      [&] {
        auto dialog = ends.at_callee();
        while (parts.size() < 3) {
          auto [part, rest] = std::move(dialog).send(More{}).receive();
          parts.push_back(part.text);
          dialog = std::move(rest);
        }
        result_of_end(*ends.callee, std::move(dialog).send(Enough{}).send(3).finish());
      });
  CHECK(parts == std::vector<std::string>{"1", "2", "3"});
}

TEST_CASE("a step that was taken before throws DialogMisuse, naming it; the dialog goes on") {
  trio::run([] {
    Ends<Login> const ends;
    auto dialog = ends.at_caller();
    auto answer = std::move(dialog).send({"ann", "sesame"});
    std::string const sentence = what(thrown_by([&] {
      (void)std::move(dialog).send({"ann", "sesame"});
    }));
    CHECK(trio::exception_cast<DialogMisuse>(thrown_by([&] {
      (void)std::move(dialog).send({"ann", "sesame"});
    })));
    CHECK(sentence.find("dialog sessions::Login") != std::string::npos);
    CHECK(sentence.find("the caller sends sessions::Credentials") != std::string::npos);
    CHECK(sentence.find("was already taken") != std::string::npos);

    auto [who, at_callee] = ends.at_callee().receive();
    auto callee_end = std::move(at_callee).send(Denied{"no"}).finish();
    auto const deny = [](Denied, auto rest) { return std::move(rest).finish(); };
    auto const grant = [](Granted, auto rest) { return std::move(rest).send(Quit{}).finish(); };
    auto caller_end = std::move(answer).receive(deny, grant);
    CHECK(trio::exception_cast<DialogMisuse>(
        thrown_by([&] { (void)std::move(answer).receive(deny, grant); })));
    result_of_end(*ends.caller, std::move(caller_end));
    result_of_end(*ends.callee, std::move(callee_end));
  });
}

TEST_CASE("an end that is another dialog's, or was given away, does not pass") {
  trio::run([] {
    struct Once : Protocol<> {};
    Ends<Once> const ends;
    Ends<Once> const others;
    auto end = ends.at_caller().finish();
    auto const misuse =
        thrown_by([&] { result_of_end(*ends.caller, others.at_caller().finish()); });
    CHECK(trio::exception_cast<DialogMisuse>(misuse));
    CHECK(what(misuse).find("is of another dialog") != std::string::npos);
    result_of_end(*ends.caller, std::move(end));
    auto const twice = thrown_by([&] { result_of_end(*ends.caller, std::move(end)); });
    CHECK(trio::exception_cast<DialogMisuse>(twice));
    CHECK(what(twice).find("was moved from") != std::string::npos);
  });
  static_assert(!std::is_copy_constructible_v<Finished<Login>>);
  static_assert(!std::is_default_constructible_v<Finished<Login>>);
  static_assert(!std::is_convertible_v<Finished<Upload>, Finished<Login>>);
  static_assert(!std::is_copy_constructible_v<CallerDialog<Login>>);
}

TEST_CASE("a dialog let go before its end is broken off, never ended") {
  SUBCASE("by an exception") {
    Ends<Login> const ends;
    trio::run([&] {
      CHECK(thrown_by([&] {
        auto answer = ends.at_caller().send({"ann", "sesame"});
        throw std::runtime_error("no");
      }));
    });
    CHECK(!ends.lines->to_callee.closed);
    CHECK(ends.lines->to_callee.aborted);
  }
  SUBCASE("by being dropped") {
    Ends<Login> const ends;
    trio::run([&] { static_cast<void>(ends.at_caller()); });
    CHECK(ends.lines->to_callee.aborted);
  }
  SUBCASE("by being dropped by the callee, whose task has nothing left to do then") {
    Ends<Login> const ends;
    trio::run([&] { static_cast<void>(ends.at_callee()); });
    CHECK(ends.lines->to_caller.aborted);
    CHECK(ends.lines->to_caller.cancelled_because ==
          "it let dialog sessions::Login go where the caller sends sessions::Credentials");
  }
  SUBCASE("by another that takes its place") {
    Ends<Login> const ends;
    Ends<Login> const others;
    trio::run([&] {
      auto dialog = ends.at_caller();
      dialog = others.at_caller();
      CHECK(ends.lines->to_callee.aborted);
      CHECK(!others.lines->to_callee.aborted);
    });
  }
  SUBCASE("by a cancellation that cuts a step short, and the other side sees it") {
    Ends<Login> const ends;
    both(
        [&] {
          auto const outcome = trio::move_on_after(1s, [&] {
            (void)ends.at_caller()
                .send({"ann", "sesame"})
                .receive([](Denied, auto rest) { return std::move(rest).finish(); },
                         [](Granted, auto rest) { return std::move(rest).send(Quit{}).finish(); });
          });
          CHECK(outcome.cut_short);
        },
        [&] {
          auto [who, answer] = ends.at_callee().receive();
          trio::sleep(2s);
          auto commands = std::move(answer).send(Granted{1});
          CHECK(trio::exception_cast<Aborted>(thrown_by([&] {
            (void)std::move(commands).receive(
                [](Get, auto rest) { return std::move(rest).send(Value{}); },
                [](Put, auto rest) { return rest; },
                [](Quit, auto) -> CalleeDialog<Login, Commands> { throw std::logic_error("no"); });
          })));
        });
    CHECK(!ends.lines->to_callee.closed);
  }
}

TEST_CASE("each message is checked against the protocol, as its sender may be of another build") {
  trio::run([] {
    Ends<Login> const ends;
    std::string received;
    auto const refusal = [&] {
      auto const error = thrown_by([&] { (void)ends.at_callee().receive(); });
      CHECK(ends.lines->to_caller.aborted);
      CHECK(!ends.lines->to_caller.closed);
      auto const* wrong = trio::exception_cast<MsgTypeError>(error);
      REQUIRE(wrong);
      CHECK(wrong->expected().find("sessions::Credentials") != std::string::npos);
      received = wrong->received();
      return what(error);
    };
    auto const says = [&](char const* sentence) {
      std::string const said = refusal();
      CHECK_MESSAGE(said.find(sentence) != std::string::npos, said);
    };
    SUBCASE("a message that belongs elsewhere") {
      ends.tell_callee(tractor::detail::message_number<Login, Granted>, Granted{7});
      says(
          "actor peer, the caller of dialog sessions::Login, sent sessions::Granted, where the "
          "caller sends sessions::Credentials (after 0 messages)");
      CHECK(received == "sessions::Granted");
    }
    SUBCASE("a message that the protocol has not") {
      ends.tell_callee(std::uint8_t{200});
      says("sent message number 200, which the protocol has not");
      CHECK(received == "message number 200");
    }
    SUBCASE("nothing") {
      ends.tell_callee();
      says("sent what is no message");
    }
    SUBCASE("a message cut short") {
      ends.tell_callee(std::uint8_t{0}, std::string("ann"));
      says("sent a sessions::Credentials in dialog sessions::Login that cannot be read");
    }
    SUBCASE("a message with more in it") {
      ends.tell_callee(std::uint8_t{0}, Credentials{"ann", "sesame"}, 1);
      says("sent a sessions::Credentials in dialog sessions::Login that cannot be read");
    }
    SUBCASE("an end") {
      ends.lines->to_callee.messages.sender.close();
      says("ended it, where the caller sends sessions::Credentials");
      CHECK(received == "the end");
    }
  });
}

TEST_CASE("later messages are checked where the dialog then is") {
  trio::run([] {
    Ends<Login> const ends;
    ends.tell_callee(std::uint8_t{0}, Credentials{"ann", "sesame"});
    ends.tell_callee(tractor::detail::message_number<Login, Put>, Put{"k", "v"});
    ends.tell_callee(tractor::detail::message_number<Login, Value>, Value{});
    auto const error = thrown_by([&] { (void)serve(ends.at_callee()); });
    REQUIRE(trio::exception_cast<MsgTypeError>(error));
    CHECK(what(error).find("sent sessions::Value, where the caller sends sessions::Get or "
                           "sessions::Put or sessions::Quit (after 3 messages)") !=
          std::string::npos);
  });
}

TEST_CASE("a message that cannot be sent does not use its step up") {
  trio::run([] {
    Ends<Deep> const ends;
    Nested nested;
    for (int i = 0; i < 200; ++i) {
      Nested around;
      around.within.push_back(std::move(nested));
      nested = std::move(around);
    }
    auto dialog = ends.at_caller();
    CHECK(trio::exception_cast<tractor::EncodeError>(
        thrown_by([&] { (void)std::move(dialog).send(nested); })));
    result_of_end(*ends.caller, std::move(dialog).send(Nested{}).finish());
  });
}

TEST_CASE("the text of a protocol says its messages and their order, whatever it is called") {
  CHECK(automaton_of<Login>.text() ==
        "0 caller: sessions::Credentials{string string} 1; "
        "1 callee: sessions::Denied{string} 2, sessions::Granted{i32} 3; "
        "2 end; "
        "3 caller: sessions::Get{string} 4, sessions::Put{string string} 3, sessions::Quit{} 2; "
        "4 callee: sessions::Value{optional<string>} 3");

  struct Renamed
      : Protocol<ToCallee<Credentials>, CalleeChooses<Case<Denied>, Case<Granted, Commands>>> {};

  CHECK(automaton_of<Renamed>.text() == automaton_of<Login>.text());

  struct Reordered
      : Protocol<ToCallee<Credentials>, CalleeChooses<Case<Granted, Commands>, Case<Denied>>> {};

  CHECK(automaton_of<Reordered>.text() != automaton_of<Login>.text());
  CHECK(automaton_of<Protocol<ToCallee<int>>>.text() == "0 caller: i32 1; 1 end");
  CHECK(automaton_of<Protocol<ToCaller<int>>>.text() == "0 callee: i32 1; 1 end");
  CHECK(automaton_of<Protocol<>>.text() == "0 end");
  CHECK(automaton_of<Login>.describe(2) == "the end");
}
