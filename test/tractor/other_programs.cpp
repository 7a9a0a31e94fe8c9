// SPDX-License-Identifier: BSL-1.0
#define THE_TESTS_OWN_BUILD
#include "programs/shared_functions.hpp"
#include "support.hpp"

#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

using support::in_root;
using support::program;

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
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto other = nursery.start_actor("other", tractor::expose<shared::add, shared::changed>,
                                       {.executable = program("other_build")});
      try {
        other.run<shared::changed>("text");
        FAIL("it ran");
      } catch (tractor::SignatureMismatch const& error) {
        std::string const what = error.what();
        CHECK(what.find("changed") != std::string::npos);
        CAPTURE(what);
        CHECK(count(what, "i32 (string)") == 1);
        CHECK(count(what, "string (string)") == 1);
      }
      CHECK(other.run<shared::add>(1, 2) == 3);
      other.cancel_actor();
    });
  });
}

TEST_CASE(
    "another build's dialog goes on as ours does, or is refused with both protocols printed") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto other = nursery.start_actor("other", tractor::expose<shared::alike, shared::unlike>,
                                       {.executable = program("other_build")});
      auto const ask = [](auto dialog) {
        auto [number, rest] = std::move(dialog).send(6).receive();
        return std::move(rest).finish(number);
      };
      CHECK(other.open_dialog<shared::alike>(ask) == 7);
      try {
        static_cast<void>(other.open_dialog<shared::unlike>(ask));
        FAIL("it ran");
      } catch (tractor::SignatureMismatch const& error) {
        std::string const what = error.what();
        CAPTURE(what);
        CHECK(count(what, "void (dialog<0 caller: i32 1; 1 callee: i32 2; 2 end>; )") == 1);
        CHECK(count(what, "void (dialog<0 caller: i32 1; 1 callee: string 2; 2 end>; )") == 1);
      }
      other.cancel_actor();
    });
  });
}
