// SPDX-License-Identifier: BSL-1.0
// The streams of contexts: order, ends, back-pressure, and the other policies. D and a number stand
// for the scenarios of the project's list.
#include "support.hpp"

#include <trio/errors.hpp>
#include <trio/testing.hpp>

#include <chrono>
#include <cstddef>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using support::in_root;
using support::thrown_by;
using tractor::Overrun;

namespace {

struct Talk {
  using Started = int;
  using ToCallee = std::string;
  using ToCaller = std::string;
};

struct Numbers {
  using ToCallee = int;
  using ToCaller = int;
};

struct Loads {
  using ToCallee = tractor::Bytes;
  using ToCaller = tractor::Bytes;
};

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

template <class Stream> std::vector<int> all_of(Stream& stream) {
  std::vector<int> items;
  for (int item : stream) items.push_back(item);
  return items;
}

std::vector<int> first(int count) {
  std::vector<int> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

void simple_rpc(tractor::Context<Talk>& ctx, int data) {
  ctx.started(data + 1);
  auto stream = ctx.open_stream();
  for (std::string message : stream) {
    if (message != "ping") throw std::runtime_error("no ping: " + message);
    stream.send("pong");
  }
}

int callee_sends_first(tractor::Context<Talk>& ctx) {
  ctx.started(0);
  auto stream = ctx.open_stream();
  int count = 0;
  for (; count < 10; ++count) {
    stream.send("ping");
    if (stream.receive() != "pong") return -1;
  }
  return count;
}

}  // namespace

TEST_CASE("D1: ping and pong, whoever begins, in order, to the end of both") {
  with_daemon(tractor::expose<simple_rpc, callee_sends_first>, [](tractor::Portal daemon) {
    daemon.open_context<simple_rpc>(10, [](auto& ctx, int sent) {
      CHECK(sent == 11);
      auto stream = ctx.open_stream();
      for (int i = 0; i < 10; ++i) {
        stream.send("ping");
        CHECK(stream.receive() == "pong");
      }
      stream.send_eof();
      CHECK_THROWS_AS(stream.receive(), trio::EndOfChannel);
      CHECK_THROWS_AS(stream.receive(), trio::EndOfChannel);
      CHECK_THROWS_AS(stream.send("late"), trio::ClosedResourceError);
    });
    daemon.open_context<callee_sends_first>([](auto& ctx, int) {
      auto stream = ctx.open_stream();
      int count = 0;
      for (std::string ping : stream) {
        CHECK(ping == "ping");
        stream.send("pong");
        ++count;
      }
      CHECK(count == 10);
      CHECK(ctx.result() == 10);
    });
  });
}

namespace {

int open_and_close(tractor::Context<Numbers>& ctx) {
  { auto stream = ctx.open_stream(); }
  return 5;
}

int send_some(tractor::Context<Numbers>& ctx, int count) {
  auto stream = ctx.open_stream();
  for (int i = 0; i < count; ++i) stream.send(i);
  return count;
}

}  // namespace

TEST_CASE("C6: the stream of a callee that has closed it and returned is empty, and ends") {
  with_daemon(tractor::expose<open_and_close>, [](tractor::Portal daemon) {
    daemon.open_context<open_and_close>([](auto& ctx) {
      CHECK(ctx.result() == 5);
      {
        auto stream = ctx.open_stream();
        stream.send(3);
        CHECK(all_of(stream).empty());
        CHECK_THROWS_AS(stream.receive(), trio::EndOfChannel);
      }
      CHECK_THROWS_AS(ctx.open_stream(), trio::ClosedResourceError);
    });
  });
}

TEST_CASE("D15: a stream that was closed is not opened again, nor is an open one") {
  with_daemon(tractor::expose<send_some>, [](tractor::Portal daemon) {
    daemon.open_context<send_some>(3, [](auto& ctx) {
      {
        auto stream = ctx.open_stream();
        CHECK_THROWS_AS(ctx.open_stream(), trio::MisuseError);
        CHECK(all_of(stream) == first(3));
        stream.close();
        CHECK_THROWS_AS(stream.receive(), trio::ClosedResourceError);
        CHECK_THROWS_AS(stream.send(1), trio::ClosedResourceError);
      }
      CHECK_THROWS_AS(ctx.open_stream(), trio::ClosedResourceError);
      CHECK(ctx.result() == 3);
    });
  });
}

TEST_CASE("what was sent before the stream is open, and after the end of the callee, is there") {
  with_daemon(tractor::expose<send_some>, [](tractor::Portal daemon) {
    daemon.open_context<send_some>(64, [](auto& ctx) {
      while (ctx.state() != tractor::ContextState::returned) trio::lowlevel::checkpoint();
      auto stream = ctx.open_stream();
      CHECK(all_of(stream) == first(64));
      CHECK(ctx.result() == 64);
    });
  });
}

TEST_CASE("a long stream arrives whole and in order, whatever the window") {
  with_daemon(tractor::expose<send_some>, [](tractor::Portal daemon) {
    for (std::size_t const window : {1u, 3u, 64u, 1000u}) {
      CAPTURE(window);
      daemon.open_context<send_some>(5000, [&](auto& ctx) {
        auto stream = ctx.open_stream({.window = window});
        CHECK(all_of(stream) == first(5000));
        CHECK(ctx.result() == 5000);
      });
    }
  });
}

namespace {

int sent = 0;

int sent_so_far() { return sent; }

void send_for_ever(tractor::Context<Numbers>& ctx) {
  auto stream = ctx.open_stream();
  for (sent = 0;; ++sent) stream.send(sent);
}

}  // namespace

TEST_CASE("a sender waits where nobody reads: at the window, whichever that is") {
  with_daemon(tractor::expose<send_for_ever, sent_so_far>, [](tractor::Portal daemon) {
    // Calls go round while it waits, and find it at the same place.
    auto const stands_at = [&](int where) {
      while (daemon.run<sent_so_far>() < where) {}
      for (int i = 0; i < 20; ++i) CHECK(daemon.run<sent_so_far>() == where);
    };
    daemon.open_context<send_for_ever>([&](auto& ctx) {
      stands_at(64);
      auto stream = ctx.open_stream({.window = 100});
      stands_at(100);
      for (int i = 0; i < 24; ++i) CHECK(stream.receive() == i);
      stands_at(100);
      CHECK(stream.receive() == 24);
      stands_at(125);
      ctx.cancel();
    });
  });
}

TEST_CASE("D5: a consumer that leaves early keeps nobody from anything") {
  with_daemon(tractor::expose<send_some>, [](tractor::Portal daemon) {
    daemon.open_context<send_some>(5000, [&](auto& ctx) {
      {
        auto stream = ctx.open_stream();
        for (int item : stream)
          if (item == 9) break;
      }
      CHECK(ctx.result() == 5000);
    });
    // Nor does one that never comes.
    daemon.open_context<send_some>(5000, [](auto& ctx) { CHECK(ctx.result() == 5000); });
    daemon.open_context<send_some>(5000, [](auto&) {});
  });
}

namespace {

std::vector<std::string> told;

std::vector<std::string> tell() { return told; }

void letters(tractor::SendStream<std::string>& stream, char last) {
  for (char letter = 'a'; letter <= last; ++letter) stream.send(std::string(1, letter));
}

void count_for_ever(tractor::SendStream<int>& stream) {
  told.clear();
  try {
    for (int i = 0;; ++i) stream.send(i);
  } catch (trio::Cancelled const& cancelled) {
    told.push_back(cancelled.reason().reason);
    throw;
  }
}

void fail_in_the_middle(tractor::SendStream<int>& stream) {
  stream.send(1);
  throw std::runtime_error("in the middle");
}

}  // namespace

TEST_CASE("D5: a one-way stream comes to its end, or is cancelled where its consumer leaves") {
  with_daemon(tractor::expose<letters, count_for_ever, fail_in_the_middle, tell>,
              [](tractor::Portal daemon) {
                auto const all = daemon.open_stream_from<letters>('e', [](auto& stream) {
                  std::string text;
                  for (std::string letter : stream) text += letter;
                  return text;
                });
                CHECK(all == "abcde");
                int seen = 0;
                daemon.open_stream_from<count_for_ever>([&](tractor::ReceiveStream<int>& stream) {
                  for (int item : stream) {
                    CHECK(item == seen);
                    if (++seen == 10) break;
                  }
                });
                CHECK(seen == 10);
                CHECK(daemon.run<tell>() == std::vector<std::string>{"the stream was left"});
                CHECK_THROWS_AS(daemon.open_stream_from<fail_in_the_middle>([](auto& stream) {
                  while (stream.next()) {}
                }),
                                tractor::RemoteActorError);
              });
}

TEST_CASE("D7: a scope around an endless stream ends it") {
  with_daemon(tractor::expose<count_for_ever, tell>, [](tractor::Portal daemon) {
    auto const outcome = trio::move_on_after(100ms, [&] {
      daemon.open_stream_from<count_for_ever>([&](auto& stream) {
        while (stream.next()) {}
      });
    });
    CHECK(outcome.cut_short);
    CHECK(daemon.run<tell>().size() == 1);
  });
}

namespace {

// Tells how its caller's stream has ended.
std::string ending(tractor::Context<Numbers>& ctx) {
  auto stream = ctx.open_stream();
  int count = 0;
  try {
    while (stream.next()) ++count;
  } catch (tractor::StreamAborted const&) {
    return "aborted after " + std::to_string(count);
  }
  return "ended after " + std::to_string(count);
}

struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Aborts its stream, and goes on.
void abort_in_the_middle(tractor::Context<Numbers>& ctx) {
  try {
    auto stream = ctx.open_stream();
    stream.send(1);
    throw Broken("caught");
  } catch (Broken const&) {}
}

void abort_and_fail(tractor::Context<Numbers>& ctx) {
  auto stream = ctx.open_stream();
  stream.send(1);
  throw Broken("the true reason");
}

}  // namespace

TEST_CASE("a stream that is left by an exception is aborted, never ended") {
  with_daemon(
      tractor::expose<ending, abort_in_the_middle, abort_and_fail>, [](tractor::Portal daemon) {
        daemon.open_context<ending>([](auto& ctx) {
          try {
            auto stream = ctx.open_stream();
            stream.send(1);
            stream.send(2);
            throw Broken("caught");
          } catch (Broken const&) {}
          CHECK(ctx.result() == "aborted after 2");
        });
        daemon.open_context<ending>([](auto& ctx) {
          { ctx.open_stream().send(1); }
          CHECK(ctx.result() == "ended after 1");
        });
        std::optional<int> got;
        auto const read = [&](auto& ctx) {
          auto stream = ctx.open_stream();
          got = stream.receive();
          stream.next();
          FAIL("it ended well");
        };
        CHECK_THROWS_AS(daemon.open_context<abort_in_the_middle>(read), tractor::StreamAborted);
        CHECK(got == 1);
        // The callee's error takes the place of what it did to the stream.
        auto const error = thrown_by([&] { daemon.open_context<abort_and_fail>(read); });
        auto const* remote = trio::exception_cast<tractor::RemoteActorError>(error);
        REQUIRE(remote);
        CHECK(remote->message() == "the true reason");
      });
}

TEST_CASE("a caller that fails in its stream gets its own error back, not the callee's of it") {
  auto const copy = [](tractor::Context<Numbers>& ctx) {
    auto stream = ctx.open_stream();
    for (int item : stream) stream.send(item);
  };
  with_daemon(tractor::expose<copy>, [&](tractor::Portal daemon) {
    for (int i = 0; i < 20; ++i)
      CHECK_THROWS_AS(daemon.open_context<copy>([](auto& ctx) {
        auto stream = ctx.open_stream();
        stream.send(1);
        throw Broken("mine");
      }),
                      Broken);
    CHECK(trio::move_on_after(50ms, [&] {
            daemon.open_context<copy>([](auto& ctx) {
              auto stream = ctx.open_stream();
              stream.receive();
            });
          }).cut_short);
  });
}
