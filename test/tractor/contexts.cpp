// SPDX-License-Identifier: BSL-1.0
// Contexts: linked tasks, and who gets what when one of the two ends. C and a number stand for the
// scenarios of the project's list.
#include "support.hpp"

#include <trio/errors.hpp>
#include <trio/testing.hpp>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <signal.h>

using namespace std::chrono_literals;
using support::in_root;
using support::thrown_by;
using support::with_daemon;
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

void start_late(tractor::Context<Number>& ctx) {
  trio::sleep_forever();
  ctx.started(1);
}

}  // namespace

TEST_CASE("C2: started() twice is an error in the callee, and so in the body") {
  with_daemon(tractor::expose<start_twice>, [](tractor::Portal daemon) {
    // The body may begin before: the error is faster than the value that was started with.
    auto const error = thrown_by(
        [&] { daemon.open_context<start_twice>([&](auto&, int) { trio::sleep_forever(); }); });
    auto const* remote = trio::exception_cast<tractor::RemoteActorError>(error);
    REQUIRE(remote);
    CHECK(remote->type_name() == "trio::MisuseError");
    CHECK(remote->message().find("second time") != std::string::npos);
  });
}

TEST_CASE("a caller that leaves before Started has the callee cancelled, and harms nobody") {
  with_daemon(tractor::expose<start_late, simple>, [](tractor::Portal daemon) {
    for (auto const patience : {500ms, 0ms}) {
      CHECK(trio::move_on_after(20ms, [&] {
              daemon.with({.cancel_patience = patience}).open_context<start_late>([](auto&, int) {
                FAIL("begun");
              });
            }).cut_short);
      CHECK(daemon.open_calls() == 0);
    }
    CHECK(daemon.open_context<simple>(10, false, [](auto&, int first) { return first; }) == 11);
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
      support::in_time(500ms, [&] { ctx.cancel(); });
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

TEST_CASE("C3: what cancel_actor() of this side cancels is thrown, though it was us") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto daemon = nursery.start_actor("daemon", tractor::expose<simple>);
      auto const error = thrown_by([&] {
        daemon.open_context<simple>(1, true, [&](auto& ctx, int) {
          support::in_time(500ms, [&] { daemon.cancel_actor(); });
          CHECK(ctx.state() == ContextState::actor_cancelled);
          CHECK(ctx.canceller() == daemon.actor());
        });
      });
      auto const* cancelled = trio::exception_cast<tractor::ContextCancelled>(error);
      REQUIRE(cancelled);
      CHECK(cancelled->of_actor());
      CHECK(cancelled->canceller() == tractor::current_actor().id());
      CHECK(cancelled->source() == daemon.actor());
    });
  });
}

TEST_CASE("C3: the result of a callee that had returned before it was cancelled stands") {
  with_daemon(tractor::expose<simple>, [](tractor::Portal daemon) {
    daemon.open_context<simple>(1, false, [](auto& ctx, int) {
      while (ctx.state() != ContextState::returned) trio::lowlevel::checkpoint();
      support::in_time(500ms, [&] { ctx.cancel(); });
      CHECK(ctx.result() == "yo");
      CHECK_FALSE(ctx.error());
    });
  });
}

namespace {

void take_words(tractor::Context<Talk>& ctx) {
  ctx.started(0);
  auto stream = ctx.open_stream();
  for (std::string word : stream) told.push_back(word);
}

}  // namespace

TEST_CASE("C8: when another task cancels, who waits in the stream is told, and it is no error") {
  with_daemon(tractor::expose<take_words, tell>, [](tractor::Portal daemon) {
    bool was_told = false;
    daemon.open_context<take_words>([&](auto& ctx, int) {
      trio::open_nursery([&](trio::Nursery& nursery) {
        auto stream = ctx.open_stream();
        nursery.start_soon([&] {
          stream.send("yo");
          while (daemon.run<tell>().empty()) {}
          ctx.cancel();
        });
        try {
          stream.receive();
        } catch (tractor::ContextCancelled const& error) {
          was_told = error.canceller() == tractor::current_actor().id();
          throw;
        }
      });
    });
    CHECK(was_told);
    CHECK(daemon.run<tell>() == std::vector<std::string>{"yo"});
  });
}

TEST_CASE("out of band: when another task cancels, the body does not wait on, and it is no error") {
  with_daemon(tractor::expose<simple>, [](tractor::Portal daemon) {
    std::optional<tractor::CallerContext<Number, std::string>> context;
    trio::Event open;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        daemon.open_context<simple>(1, true, [&](auto& ctx, int) {
          context = ctx;
          open.set();
          trio::sleep_forever();
        });
        CHECK(context->state() == ContextState::self_cancelled);
      });
      open.wait();
      context->cancel();
    });
    // A handle outlives its context, and says so.
    CHECK_THROWS_AS(context->result(), tractor::ContextCancelled);
    CHECK_THROWS_AS(context->open_stream(), tractor::ContextCancelled);
    context.reset();
    // A body that owes a value cannot be cut short without an error.
    CHECK_THROWS_AS(daemon.open_context<simple>(1, true,
                                                [&](auto& ctx, int) {
                                                  ctx.cancel();
                                                  ctx.result();
                                                  return 1;
                                                }),
                    trio::MisuseError);
  });
}

namespace {

void cancel_itself_first(tractor::Context<Talk>& ctx) {
  ctx.cancel("did not feel like it");
  try {
    ctx.open_stream();
  } catch (trio::MisuseError const&) {
    told.push_back("misuse");
  }
  trio::lowlevel::checkpoint();
  told.push_back("not reached");
}

void cancel_itself_later(tractor::Context<Talk>& ctx) {
  ctx.started(1);
  auto stream = ctx.open_stream();
  stream.receive();
  ctx.cancel();
  trio::sleep_forever();
}

int swallow_cancellation(tractor::Context<Number>& ctx) {
  ctx.started(1);
  try {
    trio::sleep_forever();
  } catch (trio::Cancelled const&) {}
  return 42;
}

void fail_when_cancelled(tractor::Context<Number>& ctx) {
  ctx.started(1);
  try {
    trio::sleep_forever();
  } catch (trio::Cancelled const&) {
    throw Broken("clean-up failed");
  }
}

void outlast_cancellation(tractor::Context<Number>& ctx) {
  ctx.started(1);
  trio::shielded([] { trio::sleep(100ms); });
}

void fail_on_demand(tractor::Context<Talk>& ctx) {
  ctx.started(1);
  auto stream = ctx.open_stream();
  throw Broken(stream.receive());
}

}  // namespace

TEST_CASE("C9: a callee that cancels itself is ContextCancelled in its caller, by the callee") {
  with_daemon(
      tractor::expose<cancel_itself_first, cancel_itself_later, tell>, [](tractor::Portal daemon) {
        auto const before = thrown_by(
            [&] { daemon.open_context<cancel_itself_first>([](auto&, int) { FAIL("begun"); }); });
        auto const* cancelled = trio::exception_cast<tractor::ContextCancelled>(before);
        REQUIRE(cancelled);
        CHECK(cancelled->canceller() == daemon.actor());
        CHECK_FALSE(cancelled->of_actor());
        CHECK(std::string(cancelled->what()).find("itself") != std::string::npos);
        CHECK(cancelled->reason().reason == "did not feel like it");
        CHECK(daemon.run<tell>() == std::vector<std::string>{"misuse"});

        auto const later = thrown_by([&] {
          daemon.open_context<cancel_itself_later>([](auto& ctx, int) {
            auto stream = ctx.open_stream();
            stream.send("go");
            CHECK_THROWS_AS(stream.receive(), tractor::ContextCancelled);
            CHECK(ctx.state() == ContextState::peer_cancelled);
          });
        });
        CHECK(trio::exception_cast<tractor::ContextCancelled>(later));
      });
}

TEST_CASE("C17: what a callee returns that was to be cancelled is dropped") {
  with_daemon(tractor::expose<swallow_cancellation>, [](tractor::Portal daemon) {
    daemon.open_context<swallow_cancellation>([](auto& ctx, int) {
      ctx.cancel();
      CHECK(ctx.state() == ContextState::self_cancelled);
      CHECK_FALSE(ctx.outcome()->value);
    });
  });
}

TEST_CASE("an error of the callee is not hidden by the cancellation that it comes of") {
  with_daemon(tractor::expose<fail_when_cancelled>, [](tractor::Portal daemon) {
    CHECK_THROWS_AS(daemon.open_context<fail_when_cancelled>([](auto& ctx, int) { ctx.cancel(); }),
                    tractor::RemoteActorError);
    CHECK_THROWS_AS(
        static_cast<void>(trio::move_on_after(20ms,
                                              [&] {
                                                daemon.open_context<fail_when_cancelled>(
                                                    [](auto&, int) { trio::sleep_forever(); });
                                              })),
        tractor::RemoteActorError);
    // Nor is an error of the body.
    CHECK_THROWS_AS(
        daemon.open_context<fail_when_cancelled>([](auto&, int) { throw Broken("mine"); }), Broken);
  });
}

TEST_CASE("C18: ctx.cancel() waits no longer than agreed, and the rest comes later") {
  with_daemon(tractor::expose<outlast_cancellation>, [](tractor::Portal daemon) {
    daemon.open_context<outlast_cancellation>([](auto& ctx, int) {
      support::in_time(10ms + 300ms, [&] { ctx.cancel({.timeout = 10ms}); });
      CHECK_FALSE(ctx.outcome());
      CHECK_THROWS_AS(ctx.open_stream(), trio::MisuseError);
      ctx.result();
      CHECK(ctx.state() == ContextState::self_cancelled);
    });
    // Nor does who leaves.
    CHECK(
        trio::move_on_after(1ms, [&] {
          daemon.with({.cancel_patience = 10ms}).open_context<outlast_cancellation>([](auto&, int) {
            trio::sleep_forever();
          });
        }).cut_short);
    CHECK(daemon.open_calls() == 0);
  });
}

TEST_CASE("an error of the callee interrupts the body, wherever it is, and goes on as it is") {
  with_daemon(tractor::expose<fail_on_demand>, [](tractor::Portal daemon) {
    auto const expected = [&](auto wait) {
      auto const error = thrown_by([&] {
        daemon.open_context<fail_on_demand>([&](auto& ctx, int) {
          auto stream = ctx.open_stream();
          stream.send("as asked");
          wait(ctx, stream);
        });
      });
      CAPTURE(trio::describe(error));
      auto const* remote = trio::exception_cast<tractor::RemoteActorError>(error);
      REQUIRE(remote);
      CHECK(remote->message() == "as asked");
    };
    expected([](auto&, auto&) { trio::sleep_forever(); });
    expected([](auto&, auto& stream) { stream.receive(); });
    expected([](auto& ctx, auto&) { ctx.result(); });
    expected([](auto&, auto&) {});
    expected([](auto&, auto& stream) {
      for (;;) stream.send("more and more");
    });
    expected([](auto& ctx, auto& stream) {
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([&] { stream.receive(); });
        nursery.start_soon([&] { ctx.result(); });
        trio::sleep_forever();
      });
    });
    // What goes wrong while the body takes leave is worse.
    CHECK_THROWS_AS(daemon.open_context<fail_on_demand>([&](auto& ctx, int) {
      try {
        auto stream = ctx.open_stream();
        stream.send("as asked");
        stream.receive();
      } catch (tractor::RemoteActorError const&) {
        throw Broken("mine");
      }
    }),
                    Broken);
  });
}

namespace {

std::string name_of_the_middle() { return tractor::current_actor().name(); }

void wait_there(tractor::Context<Number>& ctx) {
  ctx.started(1);
  trio::sleep_forever();
}

// Has a context of its own with an actor of its own, which it ends from another task.
void be_between(tractor::Context<Number>& ctx, bool by_actor) {
  tractor::open_nursery([&](tractor::ActorNursery& nursery) {
    auto below = nursery.start_actor("below", tractor::expose<wait_there>);
    below.open_context<wait_there>([&](auto& inner, int) {
      trio::open_nursery([&](trio::Nursery& tasks) {
        tasks.start_soon([&] {
          if (by_actor)
            below.cancel_actor();
          else
            trio::sleep_forever();
        });
        ctx.started(below.actor().pid);
        inner.result();
      });
    });
  });
}

}  // namespace

TEST_CASE("a third party: who is cancelled by another learns by whom, and where, over any hops") {
  with_daemon(tractor::expose<be_between>, [](tractor::Portal middle) {
    auto const error = thrown_by(
        [&] { middle.open_context<be_between>(true, [](auto& ctx, int) { ctx.result(); }); });
    auto const* cancelled = trio::find_in<tractor::ContextCancelled>(error);
    REQUIRE(cancelled);
    CHECK(cancelled->canceller() == middle.actor());
    CHECK(cancelled->source().name == "below");
    CHECK(cancelled->of_actor());
    CHECK(cancelled->relay_path().size() == 2);
  });
}

namespace {

// Does not mind that its caller has left the stream.
void stay(tractor::Context<Talk>& ctx) {
  ctx.started(1);
  auto stream = ctx.open_stream();
  try {
    stream.receive();
  } catch (tractor::StreamAborted const&) {
    told.push_back("aborted");
  }
  trio::sleep_forever();
}

}  // namespace

TEST_CASE("who has left a stream is not who cancels its other side, when its actor is ended") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto daemon = nursery.start_actor("daemon", tractor::expose<stay, tell>);
      auto const error = thrown_by([&] {
        daemon.open_context<stay>([&](auto& ctx, int) {
          try {
            auto stream = ctx.open_stream();
            throw Broken("caught");
          } catch (Broken const&) {}
          while (daemon.run<tell>().empty()) {}
          daemon.cancel_actor();
        });
      });
      auto const* cancelled = trio::exception_cast<tractor::ContextCancelled>(error);
      REQUIRE(cancelled);
      CHECK(cancelled->of_actor());
    });
  });
}

TEST_CASE("C16: cancelling a context ends what its callee has spawned") {
  with_daemon(tractor::expose<be_between>, [](tractor::Portal middle) {
    int pid = 0;
    middle.open_context<be_between>(false, [&](auto& ctx, int below) {
      pid = below;
      CHECK(kill(pid, 0) == 0);
      ctx.cancel({.timeout = 10s});
      CHECK(ctx.state() == ContextState::self_cancelled);
    });
    CHECK(kill(pid, 0) != 0);
  });
}

namespace {

int parents_number(tractor::Context<Talk>& ctx) {
  ctx.started(5);
  auto stream = ctx.open_stream();
  for (std::string word : stream) stream.send(word + word);
  return 6;
}

// The child's side of it.
int ask_the_parent() {
  return tractor::current_actor().parent().open_context<parents_number>([](auto& ctx, int five) {
    auto stream = ctx.open_stream();
    stream.send("ab");
    if (stream.receive() != "abab") return -1;
    stream.close();
    return five + ctx.result();
  });
}

}  // namespace

TEST_CASE("a child opens contexts in its parent just as well") {
  in_root({.expose = tractor::expose<parents_number>}, [] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      CHECK(nursery.run_in_actor<ask_the_parent>().result() == 11);
    });
  });
}

namespace {

int count_to(tractor::Context<Number>& ctx, int value) {
  ctx.started(value);
  return value;
}

}  // namespace

TEST_CASE("ten thousand contexts, many at once, leave nothing behind at either end") {
  with_daemon(
      tractor::expose<count_to, wait_there, name_of_the_middle>, [](tractor::Portal daemon) {
        trio::open_nursery([&](trio::Nursery& nursery) {
          // One that is stuck keeps no other from its end.
          nursery.start_soon(
              [&] { daemon.open_context<wait_there>([](auto&, int) { trio::sleep_forever(); }); });
          trio::open_nursery([&](trio::Nursery& workers) {
            for (int worker = 0; worker < 100; ++worker)
              workers.start_soon([&daemon, worker] {
                for (int i = 0; i < 100; ++i) {
                  int const number = 100 * worker + i;
                  // Some are left by a cancellation, some by an error.
                  auto const outcome =
                      daemon.open_context<count_to>(number, [&](auto& ctx, int value) {
                        if (i % 10 == 0) ctx.cancel();
                        return value;
                      });
                  if (outcome != number) FAIL(outcome);
                }
              });
          });
          CHECK(daemon.open_calls() == 1);
          nursery.cancel_scope().cancel();
        });
        CHECK(daemon.open_calls() == 0);
        CHECK(daemon.run<name_of_the_middle>() == "daemon");
      });
}

TEST_CASE("the deadlines of the caller's scopes hold in the callee of a context, and are its own") {
  with_daemon(tractor::expose<simple, tell>, [](tractor::Portal daemon) {
    for (int i = 0; i < 5; ++i)
      CHECK_THROWS_AS(
          trio::fail_after(
              20ms,
              [&] { daemon.open_context<simple>(1, true, [](auto& ctx, int) { ctx.result(); }); }),
          trio::TooSlowError);
    CHECK(daemon.run<tell>().back() == "cleaned up");
  });
}

namespace {

int wait_for_nothing(tractor::Context<Nothing>& ctx) {
  static_cast<void>(ctx);
  return 3;
}

}  // namespace

TEST_CASE("a protocol of nothing starts by itself, and has a result") {
  with_daemon(tractor::expose<wait_for_nothing>, [](tractor::Portal daemon) {
    CHECK(daemon.open_context<wait_for_nothing>([](auto& ctx) { return ctx.result(); }) == 3);
  });
}
