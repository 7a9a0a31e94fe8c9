// SPDX-License-Identifier: BSL-1.0
// Whole scenes with contexts and streams: C, D, E, H and a number stand for the scenarios of the
// project's list.
#include "program.hpp"
#include "support.hpp"

#include <trio/errors.hpp>
#include <trio/testing.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <signal.h>

using namespace std::chrono_literals;
using support::in_root;
using support::Program;
using support::thrown_by;
using support::with_daemon;
using tractor::ContextState;

namespace {

struct Number {
  using Started = int;
  using ToCaller = int;
};

struct Numbers {
  using Started = int;
  using ToCallee = int;
  using ToCaller = int;
};

struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Of the actor that was asked last.
std::vector<std::string> told;

std::vector<std::string> tell() { return told; }

std::vector<int> first(int count) {
  std::vector<int> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

std::string simple(tractor::Context<Number>& ctx, int value, bool blocks) {
  told.clear();
  ctx.started(value + 1);
  told.push_back("started");
  if (!blocks) return "yo";
  try {
    trio::sleep_forever();
  } catch (trio::Cancelled const&) {
    told.push_back("cleaned up by " + ctx.canceller()->name);
    throw;
  }
}

// SIGINT as a program finds it at its start: doctest has a handler of its own.
class PlainSigint {
 public:
  PlainSigint() = default;
  PlainSigint(PlainSigint const&) = delete;
  PlainSigint& operator=(PlainSigint const&) = delete;

  ~PlainSigint() { signal(SIGINT, before_); }

 private:
  sighandler_t before_ = signal(SIGINT, SIG_DFL);
};

enum class Leaves { returning, broken, interrupted };

}  // namespace

TEST_CASE("C1: however the body leaves a callee that returns or blocks, with a stream or none") {
  PlainSigint const plain;
  for (auto const leaves : {Leaves::returning, Leaves::broken, Leaves::interrupted})
    for (bool const blocks : {false, true})
      for (bool const with_stream : {false, true}) {
        CAPTURE(static_cast<int>(leaves));
        CAPTURE(blocks);
        CAPTURE(with_stream);
        with_daemon(tractor::expose<simple, tell>, [&](tractor::Portal daemon) {
          std::optional<tractor::CallerContext<Number, std::string>> kept;
          auto const error = thrown_by([&] {
            daemon.open_context<simple>(10, blocks, [&](auto& ctx, int started) {
              kept = ctx;
              CHECK(started == 11);
              if (with_stream) ctx.open_stream().close();
              if (leaves == Leaves::broken) throw Broken("x");
              if (leaves == Leaves::interrupted) {
                raise(SIGINT);
                trio::lowlevel::checkpoint();
                FAIL("it was not interrupted");
              }
              // Who would wait for it for ever otherwise.
              if (blocks) ctx.cancel();
            });
          });
          CHECK((trio::exception_cast<Broken>(error) != nullptr) == (leaves == Leaves::broken));
          CHECK((trio::exception_cast<trio::Interrupted>(error) != nullptr) ==
                (leaves == Leaves::interrupted));
          CHECK(!error == (leaves == Leaves::returning));
          std::vector<std::string> expected{"started"};
          if (blocks) expected.push_back("cleaned up by " + tractor::current_actor().name());
          CHECK(daemon.run<tell>() == expected);
          // A cancel that comes late changes nothing.
          auto const state = kept->state();
          kept->cancel();
          CHECK(kept->state() == state);
          if (leaves == Leaves::returning)
            CHECK(state == (blocks ? ContextState::self_cancelled : ContextState::returned));
        });
      }
}

namespace {

void wait_there(tractor::Context<Number>& ctx) {
  ctx.started(1);
  trio::sleep_forever();
}

// Has a context of its own with an actor of its own.
void be_between(tractor::Context<Number>& ctx) {
  told.clear();
  tractor::open_nursery([&](tractor::ActorNursery& nursery) {
    auto below = nursery.start_actor("below", tractor::expose<wait_there>);
    try {
      below.open_context<wait_there>([&](auto&, int) {
        ctx.started(below.actor().pid);
        trio::sleep_forever();
      });
    } catch (trio::Cancelled const&) {
      told.push_back("cancelled by " + ctx.canceller()->name);
      throw;
    }
  });
}

}  // namespace

TEST_CASE("C16: an interrupted body ends what its callee has spawned, which knows by whom") {
  PlainSigint const plain;
  with_daemon(tractor::expose<be_between, tell>, [](tractor::Portal middle) {
    pid_t pid = 0;
    auto const patient = middle.with({.cancel_patience = 30s});
    CHECK_THROWS_AS(patient.open_context<be_between>([&](auto&, int below) {
      pid = below;
      CHECK(kill(pid, 0) == 0);
      raise(SIGINT);
      trio::sleep_forever();
    }),
                    trio::Interrupted);
    CHECK(kill(pid, 0) != 0);
    CHECK(middle.run<tell>() ==
          std::vector<std::string>{"cancelled by " + tractor::current_actor().name()});
  });
}

namespace {

void stream_data(tractor::SendStream<int>& stream, int count) {
  for (int i = 0; i < count; ++i) stream.send(i);
}

// Sends each number once, whichever of two actors of its own it comes from first.
void aggregate(tractor::SendStream<int>& merged, int count) {
  tractor::open_nursery([&](tractor::ActorNursery& nursery) {
    auto const one = nursery.start_actor("streamer_1", tractor::expose<stream_data>);
    auto const two = nursery.start_actor("streamer_2", tractor::expose<stream_data>);
    auto [sender, receiver] = trio::open_memory_channel<int>(500);
    trio::open_nursery([&](trio::Nursery& tasks) {
      for (auto const& portal : {one, two})
        tasks.start_soon(
            [portal, count, out = std::make_shared<trio::MemorySendChannel<int>>(sender.clone())] {
              portal.open_stream_from<stream_data>(count, [&](auto& stream) {
                for (int const number : stream) out->send(number);
              });
              out->close();
            });
      sender.close();
      std::set<int> seen;
      for (int const number : receiver)
        if (seen.insert(number).second) merged.send(number);
    });
    nursery.cancel("all was merged");
  });
}

std::vector<std::string> living_streamers() {
  auto actors = support::living_actors(tractor::current_actor().tree_id());
  std::erase_if(actors, [](std::string const& actor) {
    return actor.find("streamer_") == std::string::npos;
  });
  return actors;
}

}  // namespace

TEST_CASE("D8: an aggregator of two streaming actors, whole or cut short anywhere") {
  constexpr int count = 1000;
  for (auto const cut : {1ms, 5ms, 20ms, 80ms, 60'000ms}) {
    CAPTURE(cut.count());
    with_daemon(tractor::expose<aggregate>, [&](tractor::Portal daemon) {
      std::vector<int> got;
      auto const start = trio::current_time();
      auto const patient = daemon.with({.cancel_patience = 30s});
      auto const outcome = trio::move_on_after(cut, [&] {
        patient.open_stream_from<aggregate>(count, [&](auto& stream) {
          for (int const number : stream) got.push_back(number);
        });
      });
      // Sooner than any timer that would help an ending that is stuck.
      if (outcome.cut_short)
        CHECK(trio::between(start, trio::current_time()) < cut + 2500ms * support::slowness());
      std::sort(got.begin(), got.end());
      CHECK(std::adjacent_find(got.begin(), got.end()) == got.end());
      // It may be cut short in its very end, too.
      if (!outcome.cut_short || cut == 60'000ms) CHECK(got == first(count));
      CHECK(living_streamers() == std::vector<std::string>());
    });
  }
}

namespace {

// Answers three requests at once, and the next one too late for a client that has gone.
void answer(tractor::Context<Numbers>& ctx) {
  told.clear();
  ctx.started(0);
  auto stream = ctx.open_stream();
  try {
    for (int const request : stream) {
      if (request == 3) {
        trio::sleep(60s);
        throw Broken("the client stays");
      }
      stream.send(request * request);
    }
  } catch (trio::Cancelled const&) {
    told.push_back("the client went away");
    throw;
  }
}

}  // namespace

TEST_CASE("D10: a client that leaves when its time is up leaves its server without an error") {
  with_daemon(tractor::expose<answer, tell>, [](tractor::Portal daemon) {
    std::vector<int> answers;
    trio::CancelScope scope;
    scope.enter([&] {
      daemon.open_context<answer>([&](auto& ctx, int) {
        auto stream = ctx.open_stream();
        for (int request = 0;; ++request) {
          stream.send(request);
          if (request == 3) scope.set_deadline(trio::after(trio::current_time(), 100ms));
          answers.push_back(stream.receive());
        }
      });
    });
    CHECK(scope.cancelled_caught());
    CHECK(answers == std::vector{0, 1, 4});
    CHECK(daemon.run<tell>() == std::vector<std::string>{"the client went away"});
  });
}

TEST_CASE("D11: SIGINT while streams flow one way and both ends all of it, cleanly") {
  Program program("streams");
  std::string const tree = program.read("tree ", 1).front();
  program.read("flowing", 1);
  program.signal(SIGINT);
  CHECK(program.read("cleaned up", 2).size() == 2);
  CHECK(program.wait() == 128 + SIGINT);
  CHECK(support::living_actors(tree) == std::vector<std::string>());
}

namespace {

int sum_up(tractor::Context<Numbers>& ctx) {
  ctx.started(0);
  auto stream = ctx.open_stream();
  int sum = 0;
  for (int const number : stream) sum += number;
  return sum;
}

}  // namespace

TEST_CASE("E18: the members of a cluster each consume a stream, all at once, or are cut short") {
  for (bool const whole : {true, false})
    in_root([&] {
      std::vector<int> sums;
      int begun = 0;
      tractor::open_actor_cluster(tractor::expose<sum_up>, {.count = 4},
                                  [&](tractor::ActorCluster const& cluster) {
                                    trio::open_nursery([&](trio::Nursery& tasks) {
                                      for (auto const& member : cluster)
                                        tasks.start_soon([&, portal = member.portal] {
                                          portal.open_context<sum_up>([&](auto& ctx, int) {
                                            auto stream = ctx.open_stream();
                                            for (int i = 0; i < 100; ++i) {
                                              stream.send(i);
                                              if (i != 50) continue;
                                              ++begun;
                                              if (!whole && begun == 4)
                                                tasks.cancel_scope().cancel();
                                            }
                                            if (!whole) trio::sleep_forever();
                                            stream.close();
                                            sums.push_back(ctx.result());
                                          });
                                        });
                                    });
                                    for (auto const& member : cluster)
                                      CHECK(member.portal.open_calls() == 0);
                                  });
      CHECK(begun == 4);
      CHECK(sums == std::vector<int>(whole ? 4 : 0, 4950));
    });
}

namespace {

struct Chain {
  std::vector<Chain> next = {};

  template <class Archive> void serialize(Archive& archive) { archive(next); }
};

Chain chain(int length) {
  Chain whole;
  for (int i = 0; i < length; ++i) {
    Chain longer;
    longer.next.push_back(std::move(whole));
    whole = std::move(longer);
  }
  return whole;
}

int length(Chain const& whole) { return whole.next.empty() ? 0 : 1 + length(whole.next.front()); }

}  // namespace

TEST_CASE("H2: what cannot be sent is an error where it is sent, and its actor serves on") {
  with_daemon(tractor::expose<chain, length>, [](tractor::Portal daemon) {
    CHECK(daemon.run<length>(chain(50)) == 50);
    CHECK(length(daemon.run<chain>(50)) == 50);
    CHECK_THROWS_AS(daemon.run<length>(chain(150)), tractor::EncodeError);
    auto const error = thrown_by([&] { daemon.run<chain>(150); });
    auto const* remote = trio::exception_cast<tractor::RemoteActorError>(error);
    REQUIRE(remote);
    CHECK(remote->type_name() == "tractor::EncodeError");
    CHECK(remote->source() == daemon.actor());
    CHECK(daemon.run<length>(chain(50)) == 50);
  });
}

namespace {

// Reads slowly, by a small window.
std::vector<int> collect(tractor::Context<Numbers>& ctx) {
  ctx.started(0);
  auto stream = ctx.open_stream({.window = 2});
  std::vector<int> got;
  for (int const number : stream) {
    got.push_back(number);
    if (number % 4 == 0) trio::sleep(1ms);
  }
  return got;
}

}  // namespace

TEST_CASE("a sender that is cancelled again and again has sent exactly what it was told it has") {
  with_daemon(tractor::expose<collect>, [](tractor::Portal daemon) {
    daemon.open_context<collect>([](auto& ctx, int) {
      auto stream = ctx.open_stream();
      int sent = 0;
      int cancelled = 0;
      while (sent < 500) {
        auto const outcome = trio::move_on_after(500us, [&] {
          for (; sent < 500; ++sent) stream.send(sent);
        });
        cancelled += outcome.cut_short;
      }
      stream.send_eof();
      CHECK(cancelled > 0);
      CHECK(ctx.result() == first(500));
    });
  });
}

TEST_CASE("receive_nowait has the next item, or says that there is none yet, or none any more") {
  with_daemon(tractor::expose<sum_up, stream_data>, [](tractor::Portal daemon) {
    daemon.open_context<sum_up>([](auto& ctx, int) {
      auto stream = ctx.open_stream();
      trio::testing::assert_no_checkpoints(
          [&] { CHECK_THROWS_AS(stream.receive_nowait(), trio::WouldBlock); });
      stream.send_eof();
      CHECK(ctx.result() == 0);
      CHECK_THROWS_AS(stream.receive_nowait(), trio::EndOfChannel);
      stream.close();
      CHECK_THROWS_AS(stream.receive_nowait(), trio::ClosedResourceError);
    });
    daemon.open_stream_from<stream_data>(3, [](auto& stream) {
      CHECK(stream.receive() == 0);
      std::vector<int> rest;
      trio::fail_after(30s, [&] {
        for (bool ended = false; !ended;) {
          trio::lowlevel::checkpoint();
          try {
            for (;;) rest.push_back(stream.receive_nowait());
          } catch (trio::WouldBlock const&) {
          } catch (trio::EndOfChannel const&) {
            ended = true;
          }
        }
      });
      CHECK(rest == std::vector{1, 2});
    });
  });
}

namespace {

int live(tractor::Context<Numbers>& ctx) {
  told.clear();
  told.push_back(describe(ctx.state()));
  ctx.started(0);
  told.push_back(describe(ctx.state()));
  {
    auto stream = ctx.open_stream();
    told.push_back(describe(ctx.state()));
    stream.receive();
  }
  told.push_back(describe(ctx.state()));
  return 7;
}

void fail_after_start(tractor::Context<Numbers>& ctx) {
  ctx.started(0);
  throw Broken("as asked");
}

}  // namespace

TEST_CASE("the state of a context goes from start to end, at both sides") {
  with_daemon(tractor::expose<live, fail_after_start, tell>, [](tractor::Portal daemon) {
    daemon.open_context<live>([](auto& ctx, int) {
      CHECK(ctx.state() == ContextState::started);
      auto stream = ctx.open_stream();
      CHECK(ctx.state() == ContextState::streaming);
      stream.send(1);
      stream.close();
      CHECK(ctx.result() == 7);
      CHECK(ctx.state() == ContextState::returned);
      CHECK(!ctx.canceller());
    });
    CHECK(daemon.run<tell>() ==
          std::vector<std::string>{"starting", "started", "streaming", "streaming-finished"});
    std::optional<tractor::ContextBase> kept;
    CHECK_THROWS_AS(daemon.open_context<fail_after_start>([&](auto& ctx, int) {
      kept = ctx;
      trio::sleep_forever();
    }),
                    tractor::RemoteActorError);
    if (kept) CHECK(kept->state() == ContextState::errored);
  });
}

namespace {

// Several tasks read and send back.
void share(tractor::Context<Numbers>& ctx) {
  ctx.started(0);
  auto stream = ctx.open_stream();
  trio::open_nursery([&](trio::Nursery& tasks) {
    for (int i = 0; i < 5; ++i)
      tasks.start_soon([&] {
        for (int const number : stream) stream.send(number);
      });
  });
}

}  // namespace

TEST_CASE("several tasks send and receive on one stream: each item goes to one of them") {
  with_daemon(tractor::expose<share>, [](tractor::Portal daemon) {
    daemon.open_context<share>([](auto& ctx, int) {
      auto stream = ctx.open_stream();
      std::vector<int> got;
      trio::open_nursery([&](trio::Nursery& tasks) {
        for (int i = 0; i < 3; ++i)
          tasks.start_soon([&] {
            for (int const number : stream) got.push_back(number);
          });
        trio::open_nursery([&](trio::Nursery& senders) {
          for (int i = 0; i < 5; ++i)
            senders.start_soon([&, i] {
              for (int k = 0; k < 400; ++k) stream.send(400 * i + k);
            });
        });
        stream.send_eof();
      });
      std::sort(got.begin(), got.end());
      CHECK(got == first(2000));
    });
  });
}

namespace {

struct Wants {
  using Started = bool;
  using ToCallee = std::string;
  using ToCaller = std::string;
};

struct Publishes {
  using Started = tractor::Topic<int>;
};

// Of two subjects in turn, for ever.
void publish(tractor::Context<Publishes>& ctx) {
  tractor::Publisher<int> numbers("numbers");
  ctx.started(numbers.topic());
  for (int i = 0;; ++i) {
    numbers.publish(i % 2 == 0 ? "even" : "odd", i);
    if (i % 16 == 0) trio::sleep(1ms);
  }
}

// Follows what its caller wants last, and says so when it does. Throws if anything else comes then.
void consume(tractor::Context<Wants>& ctx, tractor::Topic<int> const& topic) {
  std::set<std::string> wanted{"even"};
  auto subscription =
      topic.subscribe({.subjects = {"even"}, .window = 16, .on_lag = trio::OnLag::skip});
  ctx.started(true);
  auto stream = ctx.open_stream();
  trio::open_nursery([&](trio::Nursery& tasks) {
    tasks.start_soon([&] {
      for (std::string const& subject : stream) {
        wanted.insert(subject);
        subscription.follow({subject});
        wanted = {subject};
        stream.send(subject);
      }
    });
    for (auto const& [subject, value, number] : subscription)
      if (!wanted.contains(subject) || subject != (value % 2 == 0 ? "even" : "odd"))
        throw Broken("unwanted: " + subject + " " + std::to_string(value));
  });
}

}  // namespace

TEST_CASE("D9: consumers that flip between topics get what they want, until their root gives up") {
  in_root([] {
    int flips = 0;
    auto const error = thrown_by([&] {
      tractor::open_nursery([&](tractor::ActorNursery& nursery) {
        auto publisher = nursery.start_actor("publisher", tractor::expose<publish>);
        std::vector<tractor::Portal> consumers;
        for (int i = 0; i < 3; ++i)
          consumers.push_back(
              nursery.start_actor(fmt::format("consumer_{}", i), tractor::expose<consume>));
        publisher.open_context<publish>([&](auto&, tractor::Topic<int> topic) {
          int settled = 0;
          auto const flip = [&](tractor::Portal const& consumer, unsigned seed) {
            consumer.open_context<consume>(topic, [&](auto& ctx, bool) {
              auto stream = ctx.open_stream();
              for (int i = 0;; ++i) {
                seed = seed * 1664525 + 1013904223;
                std::string const subject = seed >> 31 ? "even" : "odd";
                stream.send(subject);
                if (stream.receive() != subject) FAIL("another one");
                ++flips;
                settled += i == 20;
              }
            });
          };
          trio::open_nursery([&](trio::Nursery& tasks) {
            for (unsigned i = 0; i < 3; ++i) tasks.start_soon([&, i] { flip(consumers[i], i); });
            while (settled < 3) trio::sleep(1ms);
            trio::fail_after(300ms, [] { trio::sleep_forever(); });
          });
        });
      });
    });
    auto const* group = trio::exception_cast<trio::BaseExceptionGroup>(error);
    REQUIRE(group);
    CHECK(group->find<trio::TooSlowError>());
    CHECK(!group->find<tractor::RemoteActorError>());
    CHECK(flips > 60);
  });
}
