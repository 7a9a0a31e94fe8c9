// SPDX-License-Identifier: BSL-1.0
// The streams of contexts: order, ends, back-pressure, and the other policies. D and a number stand
// for the scenarios of the project's list.
#include "../temporary_directory.hpp"
#include "support.hpp"

#include <trio/errors.hpp>
#include <trio/testing.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using support::in_root;
using support::thrown_by;
using support::with_daemon;
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
    support::in_time(300ms, [&] {
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

namespace {

struct Answers {
  using Started = std::string;
  using ToCallee = int;
  using ToCaller = int;
};

// Goes on without a pause until there is such a file, or for too long.
bool answers_and_computes(tractor::Context<Answers>& ctx, bool asks, std::string const& path) {
  ctx.started("here");
  auto stream = ctx.open_stream();
  if (asks) stream.receive();
  stream.send(2);
  auto const until = std::chrono::steady_clock::now() + 10s;
  while (!std::filesystem::exists(path))
    if (std::chrono::steady_clock::now() > until) return false;
  return true;
}

}  // namespace

TEST_CASE("an answer leaves at once, though its sender goes on to compute") {
  for (bool const asks : {true, false}) {
    CAPTURE(asks);
    support::TemporaryDirectory const directory;
    auto const path = directory.path() + "/heard";
    with_daemon(tractor::expose<answers_and_computes>, [&](tractor::Portal daemon) {
      daemon.open_context<answers_and_computes>(asks, path, [&](auto& ctx, std::string const&) {
        auto stream = ctx.open_stream();
        stream.send(1);
        CHECK(stream.receive() == 2);
        std::ofstream(path) << "yes";
        CHECK(ctx.result());
      });
    });
  }
}

TEST_CASE("a window may be as large as its type allows: the peer does not take it for an attack") {
  with_daemon(tractor::expose<send_some>, [](tractor::Portal daemon) {
    daemon.open_context<send_some>(1000, [](auto& ctx) {
      auto stream = ctx.open_stream({.window = std::numeric_limits<std::size_t>::max(),
                                     .window_bytes = std::numeric_limits<std::size_t>::max()});
      CHECK(all_of(stream) == first(1000));
    });
    CHECK_THROWS_AS(
        daemon.open_context<send_some>(1, [](auto& ctx) { ctx.open_stream({.window_bytes = 0}); }),
        std::invalid_argument);
  });
}

TEST_CASE("a stream is not opened after something else had it thrown away") {
  with_daemon(tractor::expose<send_for_ever>, [](tractor::Portal daemon) {
    daemon.open_context<send_for_ever>([](auto& ctx) {
      CHECK(trio::move_on_after(20ms, [&] { ctx.result(); }).cut_short);
      CHECK_THROWS_AS(ctx.open_stream(), trio::MisuseError);
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
    auto const outcome = support::in_time(100ms + 500ms, [&] {
      return trio::move_on_after(100ms, [&] {
        daemon.open_stream_from<count_for_ever>([&](auto& stream) {
          while (stream.next()) {}
        });
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

namespace {

// Leaves its stream by an exception that ends nobody's task, and stays.
void abort_and_stay(tractor::Context<Numbers>& ctx) {
  try {
    auto stream = ctx.open_stream();
    stream.send(1);
    throw Broken("caught");
  } catch (Broken const&) {}
  trio::sleep_forever();
}

}  // namespace

TEST_CASE("a callee that aborts its stream and stays is not waited for without end") {
  with_daemon(tractor::expose<abort_and_stay>, [](tractor::Portal daemon) {
    auto const error = thrown_by([&] {
      trio::fail_after(5s, [&] {
        daemon.with({.cancel_patience = 20ms}).open_context<abort_and_stay>([](auto& ctx) {
          auto stream = ctx.open_stream();
          while (stream.next()) {}
        });
      });
    });
    CAPTURE(trio::describe(error));
    CHECK(trio::exception_cast<tractor::StreamAborted>(error));
  });
}

namespace {

void repeat(tractor::Context<Numbers>& ctx) {
  auto stream = ctx.open_stream();
  for (int item : stream) stream.send(item);
}

}  // namespace

TEST_CASE("a caller that fails in its stream gets its own error back, not the callee's of it") {
  with_daemon(tractor::expose<repeat>, [&](tractor::Portal daemon) {
    for (int i = 0; i < 20; ++i)
      CHECK_THROWS_AS(daemon.open_context<repeat>([](auto& ctx) {
        auto stream = ctx.open_stream();
        stream.send(1);
        throw Broken("mine");
      }),
                      Broken);
    CHECK(trio::move_on_after(50ms, [&] {
            daemon.open_context<repeat>([](auto& ctx) {
              auto stream = ctx.open_stream();
              stream.receive();
            });
          }).cut_short);
  });
}

namespace {

// Sends `count` at once, and says so where that takes no waiting.
void send_at_once(tractor::Context<Talk>& ctx, int count) {
  ctx.started(count);
  auto stream = ctx.open_stream();
  for (int i = 0; i < count; ++i) stream.send(std::to_string(i));
  stream.send_eof();
  stream.next();
}

// Reads nothing before it is told to by a call.
trio::Event* go = nullptr;

void read_now() {
  if (go) go->set();
}

std::vector<std::string> read_late(tractor::Context<Talk>& ctx, int policy, std::size_t window) {
  trio::Event event;
  go = &event;
  ctx.started(0);
  auto stream = ctx.open_stream(
      {.window = window, .window_bytes = 1000, .overrun = static_cast<Overrun>(policy)});
  event.wait();
  std::vector<std::string> items;
  for (std::string item : stream) items.push_back(item);
  items.push_back("dropped " + std::to_string(stream.dropped()));
  go = nullptr;
  return items;
}

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("Overrun::drop_oldest keeps the newest, drop_newest the oldest, and both count") {
  with_daemon(tractor::expose<read_late, read_now>, [](tractor::Portal daemon) {
    auto const read = [&](Overrun policy) {
      return daemon.open_context<read_late>(static_cast<int>(policy), 3u, [&](auto& ctx, int) {
        {
          auto stream = ctx.open_stream();
          for (int i = 0; i < 500; ++i) stream.send(std::to_string(i));
        }
        daemon.run<read_now>();
        return ctx.result();
      });
    };
    CHECK(read(Overrun::drop_oldest) == Words{"497", "498", "499", "dropped 497"});
    CHECK(read(Overrun::drop_newest) == Words{"0", "1", "2", "dropped 497"});
  });
}

TEST_CASE("the bytes of a bounded buffer count as well") {
  with_daemon(tractor::expose<read_late, read_now>, [](tractor::Portal daemon) {
    daemon.open_context<read_late>(
        static_cast<int>(Overrun::drop_oldest), 64u, [&](auto& ctx, int) {
          {
            auto stream = ctx.open_stream();
            for (char c = 'a'; c < 'f'; ++c) stream.send(std::string(450, c));
          }
          daemon.run<read_now>();
          CHECK(ctx.result() == Words{std::string(450, 'd'), std::string(450, 'e'), "dropped 3"});
        });
  });
}

TEST_CASE("Overrun::error: a caller that sends too fast gets StreamOverrun, from the callee") {
  with_daemon(tractor::expose<read_late, read_now>, [](tractor::Portal daemon) {
    auto const error = thrown_by([&] {
      daemon.open_context<read_late>(static_cast<int>(Overrun::error), 3u, [&](auto& ctx, int) {
        auto stream = ctx.open_stream();
        for (;;) stream.send("x");
      });
    });
    CAPTURE(trio::describe(error));
    CHECK(trio::exception_cast<tractor::StreamOverrun>(error));
    auto const* origin = trio::exception_cast<tractor::RemoteOrigin>(error);
    REQUIRE(origin);
    CHECK(origin->source() == daemon.actor());
  });
}

TEST_CASE("Overrun::error: a callee that sends too fast fails, and relays whose error it is") {
  with_daemon(tractor::expose<send_at_once>, [](tractor::Portal daemon) {
    auto const error = thrown_by([&] {
      daemon.open_context<send_at_once>(1000, [&](auto& ctx, int) {
        auto stream = ctx.open_stream({.window = 3, .overrun = Overrun::error});
        trio::sleep_forever();
      });
    });
    CAPTURE(trio::describe(error));
    CHECK(trio::exception_cast<tractor::StreamOverrun>(error));
    auto const* origin = trio::exception_cast<tractor::RemoteOrigin>(error);
    REQUIRE(origin);
    CHECK(origin->source() == tractor::current_actor().id());
    REQUIRE(origin->relay_path().size() == 2);
    CHECK(origin->relay_path()[1] == daemon.actor());
  });
}

TEST_CASE("F13: a slow reader holds up its sender and nobody else, and costs a window of memory") {
  with_daemon(tractor::expose<send_for_ever, sent_so_far, send_some>, [](tractor::Portal daemon) {
    daemon.open_context<send_for_ever>([&](auto& stuck) {
      auto unread = stuck.open_stream();
      while (daemon.run<sent_so_far>() < 64) {}
      for (int i = 0; i < 3; ++i)
        daemon.open_context<send_some>(1000, [](auto& ctx) {
          auto stream = ctx.open_stream();
          CHECK(all_of(stream) == first(1000));
        });
      CHECK(daemon.run<sent_so_far>() == 64);
      CHECK(unread.receive() == 0);
      stuck.cancel();
    });
  });
}

namespace {

void send_loads(tractor::Context<Loads>& ctx, std::size_t size) {
  auto stream = ctx.open_stream();
  tractor::Bytes const load(std::vector<std::byte>(size, std::byte{7}));
  for (int i = 0; i < 20; ++i) stream.send(load);
}

}  // namespace

TEST_CASE("Bytes of any size go through a stream, also beyond its window, and are not copied") {
  with_daemon(tractor::expose<send_loads>, [](tractor::Portal daemon) {
    for (std::size_t const size : {0u, 1u, 4096u, 5'000'000u})
      daemon.open_context<send_loads>(size, [&](auto& ctx) {
        auto stream = ctx.open_stream();
        int count = 0;
        for (tractor::Bytes load : stream) {
          ++count;
          CHECK(load.size() == size);
          if (size > 0) CHECK(load.bytes().back() == std::byte{7});
        }
        CHECK(count == 20);
      });
  });
  tractor::Bytes const load(std::vector<std::byte>(100, std::byte{7}));
  tractor::Buffer item = tractor::detail::encode_item(load);
  CHECK(item.data() == load.data());
  CHECK(tractor::detail::decode_item<tractor::Bytes>(std::move(item)).data() == load.data());
}

TEST_CASE("cancelling who receives or sends loses no item") {
  with_daemon(tractor::expose<send_some>, [](tractor::Portal daemon) {
    daemon.open_context<send_some>(2000, [](auto& ctx) {
      auto stream = ctx.open_stream();
      std::vector<int> got;
      while (got.size() < 2000)
        static_cast<void>(trio::move_on_after(1ms, [&] {
          while (got.size() < 2000) got.push_back(stream.receive());
        }));
      CHECK(got == first(2000));
    });
  });
}

TEST_CASE("closing a stream wakes who waits in it") {
  with_daemon(tractor::expose<repeat, send_for_ever>, [](tractor::Portal daemon) {
    daemon.open_context<repeat>([](auto& ctx) {
      auto stream = ctx.open_stream();
      trio::open_nursery([&](trio::Nursery& nursery) {
        for (int i = 0; i < 3; ++i)
          nursery.start_soon([&] { CHECK_THROWS_AS(stream.receive(), trio::ClosedResourceError); });
        trio::testing::wait_all_tasks_blocked();
        stream.close();
      });
    });
  });
}

TEST_CASE("D12, E1: subscribers each get every item, fetched once") {
  with_daemon(tractor::expose<send_some>, [](tractor::Portal daemon) {
    daemon.open_context<send_some>(1000, [](auto& ctx) {
      auto stream = ctx.open_stream();
      int done = 0;
      trio::open_nursery([&](trio::Nursery& nursery) {
        for (int i = 0; i < 21; ++i)
          nursery.start_soon([&, subscription = std::make_shared<decltype(stream.subscribe())>(
                                     stream.subscribe(2000))] {
            CHECK(all_of(*subscription) == first(1000));
            ++done;
          });
        CHECK(all_of(stream) == first(1000));
      });
      CHECK(done == 21);
    });
  });
}

TEST_CASE("E2, E7: a subscriber that is too slow is told how many it missed, or skips them") {
  with_daemon(tractor::expose<send_some>, [](tractor::Portal daemon) {
    daemon.open_context<send_some>(300, [](auto& ctx) {
      auto stream = ctx.open_stream();
      auto slow = stream.subscribe(10);
      auto skipping = stream.subscribe(10, trio::OnLag::skip);
      CHECK(all_of(stream) == first(300));
      std::uint64_t missed = 0;
      try {
        slow.receive();
      } catch (trio::Lagged const& lagged) {
        missed = lagged.missed;
      }
      CHECK(missed == 290);
      CHECK(all_of(slow) == std::vector<int>{290, 291, 292, 293, 294, 295, 296, 297, 298, 299});
      CHECK(skipping.receive() == 290);
    });
  });
}

TEST_CASE("E5, E6: who fetches for all may be cancelled or closed, and the others go on") {
  with_daemon(tractor::expose<repeat>, [](tractor::Portal daemon) {
    daemon.open_context<repeat>([](auto& ctx) {
      auto stream = ctx.open_stream();
      auto first_one = stream.subscribe();
      auto second = stream.subscribe();
      trio::open_nursery([&](trio::Nursery& nursery) {
        trio::CancelScope scope;
        nursery.start_soon([&] { static_cast<void>(scope.enter([&] { first_one.receive(); })); });
        trio::testing::wait_all_tasks_blocked();
        nursery.start_soon([&] { CHECK(second.receive() == 5); });
        trio::testing::wait_all_tasks_blocked();
        scope.cancel();
        stream.send(5);
        support::in_time(500ms, [&] { nursery.join(); });
      });
      CHECK(first_one.receive() == 5);
      first_one.close();
      CHECK_THROWS_AS(first_one.receive(), trio::ClosedResourceError);
      CHECK_THROWS_AS(first_one.subscribe(), trio::ClosedResourceError);
      CHECK(second.statistics().open_receivers == 2);
    });
  });
}

TEST_CASE("D8: two sources through an aggregate, whole or cut short") {
  with_daemon(tractor::expose<send_some>, [](tractor::Portal daemon) {
    for (int const cut : {0, 1, 5, 20}) {
      std::vector<int> got;
      auto const outcome = trio::move_on_after(
          cut ? trio::Duration(std::chrono::milliseconds(cut)) : trio::Duration(60s), [&] {
            auto [sender, receiver] = trio::open_memory_channel<int>(0);
            trio::open_nursery([&](trio::Nursery& nursery) {
              for (int i = 0; i < 2; ++i)
                nursery.start_soon([&daemon, out = std::make_shared<trio::MemorySendChannel<int>>(
                                                 sender.clone())] {
                  daemon.open_context<send_some>(1000, [&](auto& ctx) {
                    auto stream = ctx.open_stream();
                    for (int item : stream) out->send(item);
                  });
                  out->close();
                });
              sender.close();
              for (int item : receiver) got.push_back(item);
            });
          });
      if (cut == 0) {
        CHECK_FALSE(outcome.cut_short);
        std::sort(got.begin(), got.end());
        got.erase(std::unique(got.begin(), got.end()), got.end());
        CHECK(got == first(1000));
      }
      CHECK(daemon.open_calls() == 0);
    }
  });
}
