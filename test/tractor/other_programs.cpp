// SPDX-License-Identifier: BSL-1.0
#define THE_TESTS_OWN_BUILD
#include "programs/shared_functions.hpp"
#include "support.hpp"

#include <trio/exception_group.hpp>

#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using support::in_root;
using support::program;
using support::thrown_by;

namespace shared {

int add(int a, int b) { return a - b; }

std::string changed(std::string const& text) { return text; }

tractor::Finished<Alike> alike(tractor::CalleeDialog<Alike> dialog) {
  auto [number, rest] = std::move(dialog).receive();
  return std::move(rest).send(number).finish();
}

tractor::Finished<Unlike> unlike(tractor::CalleeDialog<Unlike> dialog) {
  auto [number, rest] = std::move(dialog).receive();
  return std::move(rest).send(number).finish();
}

// Only called, in the other build.
std::string talk(tractor::Context<Talk>&, int) { return {}; }

void other_started(tractor::Context<OtherStarted>&) {}

void other_to_callee(tractor::Context<OtherToCallee>&) {}

void other_to_caller(tractor::Context<OtherToCaller>&) {}

void count(tractor::SendStream<int>&, int) {}

void other_items(tractor::SendStream<Other>&) {}

SameCodec doubled(SameCodec value) { return value; }

void other_codec_in(OtherCodec) {}

void publish(tractor::Context<Publishes<int>>&) {}

void publish_coded(tractor::Context<Publishes<OtherCodec>>&) {}

}  // namespace shared

namespace {

struct Output {
  std::string text;
  int status = 0;
};

Output output_of(std::string const& command) {
  FILE* const pipe = popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe);
  Output output;
  std::array<char, 4096> part{};
  while (std::size_t const size = fread(part.data(), 1, part.size(), pipe))
    output.text.append(part.data(), size);
  output.status = pclose(pipe);
  return output;
}

std::size_t count(std::string const& text, std::string const& what) {
  std::size_t n = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

// Runs `body` with an actor of the other build.
template <class Body> void with_other_build(tractor::Exposed exposed, Body body) {
  in_root([&] {
    tractor::open_nursery([&](tractor::ActorNursery& nursery) {
      auto other = nursery.start_actor("other", exposed, {.executable = program("other_build")});
      body(other);
      CHECK(other.open_calls() == 0);
      other.cancel_actor();
    });
  });
}

// Checks that `call` is refused for its signature, which is `ours` here and `theirs` there.
template <class Call>
void check_mismatch(Call call, std::string const& ours, std::string const& theirs) {
  auto const error = thrown_by(call);
  CAPTURE(trio::describe(error));
  CHECK(trio::exception_cast<tractor::SignatureMismatch>(error));
  auto const* mismatch = trio::exception_cast<tractor::MsgTypeError>(error);
  REQUIRE(mismatch);
  CHECK(mismatch->expected() == ours);
  CHECK(mismatch->received() == theirs);
  std::string const what = mismatch->what();
  CHECK(count(what, ours) == 1);
  CHECK(count(what, theirs) == 1);
}

// The type of its stream would be a part of its name.
constexpr auto other_items = tractor::named<"items", shared::other_items>;

}  // namespace

TEST_CASE("a main that forgets tractor::run starts no endless chain, and is told what to write") {
  Output const output = output_of("timeout 30 " + program("forgets_run"));
  CAPTURE(output.text);
  CHECK(output.status == 0);
  CHECK(count(output.text, "main begins") == 2);
  CHECK(count(output.text, "return tractor::run(amain);") == 1);
  CHECK(count(output.text, "the child ended with 97") == 1);
}

TEST_CASE("another build's function of equal signature is called by name") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto other = nursery.start_actor("other", tractor::expose<shared::add>,
                                       {.executable = program("other_build")});
      CHECK(other.run<shared::add>(1, 2) == 3);
      other.cancel_actor();
    });
  });
}

TEST_CASE("another build's function of another signature is refused, printing both") {
  with_other_build(tractor::expose<shared::add, shared::changed>, [](tractor::Portal other) {
    check_mismatch([&] { other.run<shared::changed>("text"); }, "string (string)", "i32 (string)");
    CHECK(other.run<shared::add>(1, 2) == 3);
  });
}

TEST_CASE(
    "another build's dialog goes on as ours does, or is refused with both protocols printed") {
  with_other_build(tractor::expose<shared::alike, shared::unlike>, [](tractor::Portal other) {
    auto const ask = [](auto dialog) {
      auto [number, rest] = std::move(dialog).send(6).receive();
      return std::move(rest).finish(number);
    };
    CHECK(other.open_dialog<shared::alike>(ask) == 7);
    check_mismatch([&] { static_cast<void>(other.open_dialog<shared::unlike>(ask)); },
                   "void (dialog<0 caller: i32 1; 1 callee: i32 2; 2 end>; )",
                   "void (dialog<0 caller: i32 1; 1 callee: string 2; 2 end>; )");
  });
}

TEST_CASE("another build's context of the same protocol is a context like any other") {
  with_other_build(tractor::expose<shared::talk, shared::count>, [](tractor::Portal other) {
    auto const result = other.open_context<shared::talk>(3, [](auto& context, int started) {
      CHECK(started == 4);
      auto stream = context.open_stream();
      for (int i = 0; i < 200; ++i) {
        stream.send(i);
        CHECK(stream.receive() == std::to_string(3 * i));
      }
      stream.close();
      return context.result();
    });
    CHECK(result == "19900");
    std::vector<int> counted;
    other.open_stream_from<shared::count>(100, [&](auto& stream) {
      for (int const number : stream) counted.push_back(number);
    });
    CHECK(counted.size() == 100);
    CHECK(counted.back() == 99);
  });
}

TEST_CASE("another build's context with another message is refused before its body begins") {
  auto const exposed = tractor::expose<shared::other_started, shared::other_to_callee,
                                       shared::other_to_caller, other_items, shared::talk>;
  with_other_build(exposed, [](tractor::Portal other) {
    auto const never = [](auto&...) { FAIL("the body began"); };
    check_mismatch(
        [&] { other.open_context<shared::other_started>([](auto&, int) { FAIL("it began"); }); },
        "void (context<started: i32>; )", "void (context<started: string>; )");
    check_mismatch([&] { other.open_context<shared::other_to_callee>(never); },
                   "void (context<to callee: i32>; )", "void (context<to callee: string>; )");
    check_mismatch([&] { other.open_context<shared::other_to_caller>(never); },
                   "void (context<to caller: i32>; )", "void (context<to caller: string>; )");
    check_mismatch([&] { other.open_stream_from<other_items>(never); },
                   "void (context<to caller: i32>; )", "void (context<to caller: string>; )");
    CHECK(other.open_context<shared::talk>(3, [](auto&, int started) { return started; }) == 4);
  });
}

TEST_CASE("another build's codec is used if it has our name, or refused with both names printed") {
  with_other_build(
      tractor::expose<shared::doubled, shared::other_codec_in>, [](tractor::Portal other) {
        CHECK(other.run<shared::doubled>(shared::SameCodec{21}).number == 42);
        check_mismatch([&] { other.run<shared::other_codec_in>(shared::OtherCodec{1}); },
                       "void (shared::OtherCodec{codec digits})",
                       "void (shared::OtherCodec{codec digits, last one first})");
      });
}

TEST_CASE("another build's topic is received if its items are ours, or refused with both printed") {
  with_other_build(
      tractor::expose<shared::publish, shared::publish_coded>, [](tractor::Portal other) {
        std::vector<int> received;
        other.open_context<shared::publish>([&](auto&, tractor::Topic<int> topic) {
          for (auto const& [subject, value, number] : topic.subscribe()) received.push_back(value);
        });
        CHECK(received == std::vector{1, 2, 3});
        other.open_context<shared::publish_coded>(
            [&](auto& context, tractor::Topic<shared::OtherCodec> topic) {
              check_mismatch([&] { topic.subscribe(); }, "shared::OtherCodec{codec digits}",
                             "shared::OtherCodec{codec digits, last one first}");
              context.cancel();
            });
      });
}
