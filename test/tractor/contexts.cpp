// SPDX-License-Identifier: BSL-1.0
// Contexts: linked tasks, and who gets what when one of the two ends. C and a number stand for the
// scenarios of the project's list.
#include "support.hpp"

#include <trio/errors.hpp>
#include <trio/testing.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using support::in_root;
using support::thrown_by;
using tractor::ContextState;

namespace {

struct Number {
  using Started = int;
};

struct Nothing {};

struct Talk {
  using Started = int;
  using ToCallee = std::string;
  using ToCaller = std::string;
};

// Of the actor that was asked last.
std::vector<std::string> told;

std::vector<std::string> tell() { return told; }

// Runs `body` with a daemon that exposes `exposed`, and checks that no context is left over.
template <class Body> void with_daemon(tractor::Exposed exposed, Body body) {
  in_root([&] {
    tractor::open_nursery([&](tractor::ActorNursery& nursery) {
      auto daemon = nursery.start_actor("daemon", exposed);
      body(daemon);
      CHECK(daemon.open_calls() == 0);
      daemon.cancel_actor();
    });
  });
}

std::string simple(tractor::Context<Number>& ctx, int value, bool blocks) {
  ctx.started(value + 1);
  told.push_back(describe(ctx.state()));
  if (!blocks) return "yo";
  try {
    trio::sleep_forever();
  } catch (trio::Cancelled const&) {
    told.push_back("cleaned up");
    throw;
  }
}

struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace

TEST_CASE("C1: a context brings the started value, then the body, then the result") {
  with_daemon(tractor::expose<simple, tell>, [](tractor::Portal daemon) {
    auto const result =
        daemon.open_context<simple>(10, false, [&](auto& ctx, int started) -> std::string {
          CHECK(started == 11);
          CHECK(ctx.actor() == daemon.actor());
          CHECK(daemon.run<tell>() == std::vector<std::string>{"started"});
          auto const value = ctx.result();
          CHECK(ctx.result() == value);
          CHECK(ctx.state() == ContextState::returned);
          CHECK(ctx.outcome()->value == value);
          return value;
        });
    CHECK(result == "yo");
  });
}

TEST_CASE("C1: a body that returns waits for the result without asking for it") {
  with_daemon(tractor::expose<simple>, [](tractor::Portal daemon) {
    int const started = daemon.open_context<simple>(
        10, false, [](tractor::CallerContext<Number, std::string>& ctx, int value) {
          CHECK(ctx.state() == ContextState::started);
          return value;
        });
    CHECK(started == 11);
  });
}

TEST_CASE("C1: what the body throws goes on as it is, and the callee is cancelled first") {
  with_daemon(tractor::expose<simple, tell>, [](tractor::Portal daemon) {
    CHECK_THROWS_AS(daemon.open_context<simple>(1, true, [](auto&, int) { throw Broken("x"); }),
                    Broken);
    CHECK(daemon.run<tell>() == std::vector<std::string>{"started", "cleaned up"});
  });
}

TEST_CASE("C1: a cancelled body has its callee cancelled, and is awaited") {
  with_daemon(tractor::expose<simple, tell>, [](tractor::Portal daemon) {
    auto const outcome = trio::move_on_after(50ms, [&] {
      daemon.open_context<simple>(1, true, [](auto&, int) { trio::sleep_forever(); });
    });
    CHECK(outcome.cut_short);
    CHECK(daemon.run<tell>() == std::vector<std::string>{"started", "cleaned up"});
  });
}

namespace {

void start_twice(tractor::Context<Number>& ctx) {
  ctx.started(1);
  ctx.started(2);
}

void stream_before_start(tractor::Context<Talk>& ctx) { ctx.open_stream(); }

int never_start(tractor::Context<Number>&) { return 7; }

}  // namespace

TEST_CASE("C2: started() twice is an error in the callee, and so in the body") {
  with_daemon(tractor::expose<start_twice>, [](tractor::Portal daemon) {
    bool begun = false;
    auto const error = thrown_by([&] {
      daemon.open_context<start_twice>([&](auto&, int) {
        begun = true;
        trio::sleep_forever();
      });
    });
    auto const* remote = trio::exception_cast<tractor::RemoteActorError>(error);
    REQUIRE(remote);
    CHECK(remote->type_name() == "trio::MisuseError");
    CHECK(remote->message().find("second time") != std::string::npos);
    CHECK(begun);
  });
}

TEST_CASE("C2: a stream before started() is an error at the entry") {
  with_daemon(tractor::expose<stream_before_start>, [](tractor::Portal daemon) {
    bool begun = false;
    auto const error = thrown_by(
        [&] { daemon.open_context<stream_before_start>([&](auto&, int) { begun = true; }); });
    auto const* remote = trio::exception_cast<tractor::RemoteActorError>(error);
    REQUIRE(remote);
    CHECK(remote->message().find("before started()") != std::string::npos);
    CHECK_FALSE(begun);
  });
}

TEST_CASE("C12: a callee that returns without started() is an error that names it") {
  with_daemon(tractor::expose<never_start>, [](tractor::Portal daemon) {
    auto const error =
        thrown_by([&] { daemon.open_context<never_start>([&](auto&, int) { FAIL("it began"); }); });
    auto const* remote = trio::exception_cast<tractor::RemoteActorError>(error);
    REQUIRE(remote);
    CHECK(remote->message().find("never_start") != std::string::npos);
    CHECK(remote->message().find("without calling started()") != std::string::npos);
  });
}

TEST_CASE("C3: ctx.cancel() ends the callee, leaves this task alone, and is no error") {
  with_daemon(tractor::expose<simple, tell>, [](tractor::Portal daemon) {
    bool went_on = false;
    daemon.open_context<simple>(1, true, [&](auto& ctx, int) {
      ctx.cancel();
      trio::lowlevel::checkpoint();
      went_on = true;
      CHECK(ctx.cancel_called());
      CHECK(ctx.state() == ContextState::self_cancelled);
      CHECK(ctx.canceller() == tractor::current_actor().id());
      auto const outcome = ctx.outcome();
      REQUIRE(outcome);
      auto const* cancelled = trio::exception_cast<tractor::ContextCancelled>(outcome->error);
      REQUIRE(cancelled);
      CHECK(cancelled->canceller() == tractor::current_actor().id());
      CHECK(cancelled->source() == daemon.actor());
      CHECK_THROWS_AS(ctx.open_stream(), tractor::ContextCancelled);
      ctx.cancel();
    });
    CHECK(went_on);
    CHECK(daemon.run<tell>().back() == "cleaned up");
  });
}
