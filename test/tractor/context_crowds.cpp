// SPDX-License-Identifier: BSL-1.0
// Many contexts, and long ones: what they leave behind, what they cost, and that none of them holds
// up another. S, F and a number stand for the scenarios of the project's list.
#include "support.hpp"

#include <trio/errors.hpp>
#include <trio/testing.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include <unistd.h>

using namespace std::chrono_literals;
using support::in_root;
using support::resident;
using support::thrown_by;

namespace {

struct Numbers {
  using Started = int;
  using ToCallee = int;
  using ToCaller = int;
};

struct Loads {
  using ToCallee = tractor::Bytes;
  using ToCaller = tractor::Bytes;
};

struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class End {
  whole,
  body_cancels,
  body_throws,
  body_leaves,
  scope,
  callee_throws,
  callee_cancels
};

constexpr int ends = 7;

// Sends back what it gets, and ends its own way after the second item.
int send_back(tractor::Context<Numbers>& ctx, End end) {
  ctx.started(1);
  auto stream = ctx.open_stream();
  int count = 0;
  for (int const item : stream) {
    stream.send(item);
    if (++count != 2) continue;
    if (end == End::callee_throws) throw Broken("as asked");
    if (end == End::callee_cancels) ctx.cancel();
  }
  return count;
}

// The caller's side of it.
void have_sent_back(tractor::Portal const& daemon, End end) {
  trio::CancelScope scope;
  auto const error = thrown_by([&] {
    static_cast<void>(scope.enter([&] {
      daemon.open_context<send_back>(end, [&](auto& ctx, int) {
        auto stream = ctx.open_stream();
        for (int i = 0; i < 3; ++i) stream.send(i);
        if (stream.receive() != 0 || stream.receive() != 1) FAIL("out of order");
        if (end == End::body_cancels) ctx.cancel();
        if (end == End::body_throws) throw Broken("in the body");
        if (end == End::body_leaves || end == End::body_cancels) return;
        if (end == End::scope) {
          scope.cancel();
          trio::lowlevel::checkpoint();
        }
        stream.send_eof();
        if (stream.receive() != 2) FAIL("out of order");
        if (ctx.result() != 3) FAIL("not all");
      });
    }));
  });
  // Not of what we have planned.
  if (trio::exception_cast<trio::Cancelled>(error)) std::rethrow_exception(error);
  bool const as_asked = end == End::callee_throws
                            ? trio::exception_cast<tractor::RemoteActorError>(error) != nullptr
                        : end == End::callee_cancels
                            ? trio::exception_cast<tractor::ContextCancelled>(error) != nullptr
                        : end == End::body_throws ? trio::exception_cast<Broken>(error) != nullptr
                                                  : !error;
  if (!as_asked) FAIL(static_cast<int>(end) << ": " << trio::describe(error));
}

int sent = 0;

int sent_so_far() { return sent; }

void send_for_ever(tractor::Context<Numbers>& ctx) {
  ctx.started(1);
  auto stream = ctx.open_stream();
  for (sent = 0;; ++sent) stream.send(sent);
}

void read_nothing(tractor::Context<Numbers>& ctx) {
  ctx.started(1);
  auto const stream = ctx.open_stream();
  trio::sleep_forever();
}

std::size_t tasks_of_the_parent() { return tractor::current_actor().parent().open_tasks(); }

}  // namespace

TEST_CASE("ten thousand contexts with streams, ended in every way, leave nothing at either end") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto daemon =
          nursery.start_actor("daemon", tractor::expose<send_back, send_for_ever, sent_so_far,
                                                        read_nothing, tasks_of_the_parent>);
      trio::open_nursery([&](trio::Nursery& workers) {
        for (int worker = 0; worker < 100; ++worker)
          workers.start_soon([&daemon, worker] {
            for (int i = 0; i < 100; ++i)
              have_sent_back(daemon, static_cast<End>((worker + i) % ends));
          });
      });
      CHECK(daemon.open_calls() == 0);
      // But this one.
      CHECK(daemon.run<tasks_of_the_parent>() == 1);
      // Whole credit, both ways.
      daemon.open_context<send_for_ever>([&](auto& ctx, int) {
        while (daemon.run<sent_so_far>() < 64) {}
        for (int i = 0; i < 20; ++i) CHECK(daemon.run<sent_so_far>() == 64);
        ctx.cancel();
      });
      daemon.open_context<read_nothing>([&](auto& ctx, int) {
        auto stream = ctx.open_stream();
        trio::open_nursery([&](trio::Nursery& tasks) {
          int count = 0;
          tasks.start_soon([&] {
            for (;; ++count) stream.send(count);
          });
          while (count < 64) trio::lowlevel::checkpoint();
          for (int i = 0; i < 20; ++i) {
            daemon.run<sent_so_far>();
            CHECK(count == 64);
          }
          tasks.cancel_scope().cancel();
        });
        ctx.cancel();
      });
      daemon.cancel_actor();
    });
  });
}

namespace {

trio::Event* gate = nullptr;

// Waits to be cancelled, and if it is the slow one, then until it is let go.
void clean_up(tractor::Context<Numbers>& ctx, bool slowly) {
  trio::Event may_go;
  if (slowly) gate = &may_go;
  ctx.started(1);
  try {
    trio::sleep_forever();
  } catch (trio::Cancelled const&) {
    if (slowly) trio::shielded([&] { may_go.wait(); });
    throw;
  }
}

void let_go() { gate->set(); }

}  // namespace

TEST_CASE("S16: a cancelled context that is slow to clean up holds up no other of its link") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto daemon = nursery.start_actor("daemon", tractor::expose<clean_up, let_go>);
      auto const patient = daemon.with({.cancel_patience = 60s});
      int began = 0;
      int over = 0;
      struct Over {
        int& count;

        ~Over() { ++count; }
      };
      trio::open_nursery([&](trio::Nursery& tasks) {
        tasks.start_soon([&] {
          trio::open_nursery([&](trio::Nursery& contexts) {
            for (int i = 0; i < 20; ++i)
              contexts.start_soon([&, i] {
                Over const at_the_end{over};
                patient.open_context<clean_up>(i == 7, [&](auto&, int) {
                  ++began;
                  trio::sleep_forever();
                });
              });
            while (began < 20) trio::lowlevel::checkpoint();
            contexts.cancel_scope().cancel();
          });
        });
        trio::fail_after(30s, [&] {
          while (over < 19) trio::sleep(1ms);
        });
        CHECK(over == 19);
        CHECK(daemon.open_calls() == 1);
        daemon.run<let_go>();
      });
      CHECK(over == 20);
      CHECK(daemon.open_calls() == 0);
      daemon.cancel_actor();
    });
  });
}

namespace {

constexpr std::size_t load_size = 16 * 1024;
constexpr std::size_t window = 64;

int received = 0;

// How many it has sent and received.
std::array<int, 2> so_far() { return {sent, received}; }

// Sends as much as it can, which nobody reads, and reads as much as comes.
void send_and_read(tractor::Context<Loads>& ctx) {
  auto stream = ctx.open_stream();
  sent = received = 0;
  trio::open_nursery([&](trio::Nursery& tasks) {
    tasks.start_soon([&] {
      for (;; ++sent) {
        std::vector<std::byte> load(load_size);
        load[0] = static_cast<std::byte>(sent);
        stream.send(tractor::Bytes(std::move(load)));
      }
    });
    for (auto const& load : stream) received += load.size() == load_size;
  });
}

}  // namespace

TEST_CASE("F13: what nobody reads costs a window of memory and its sender, whatever the time") {
  // Sanitizers and valgrind keep for a while what was freed.
  bool const measures = !support::sanitized && !support::under_tsan && support::slowness() == 1;
  constexpr std::size_t most = window * load_size + 10'000'000;
  for (auto const transport : {tractor::TransportKind::ipc, tractor::TransportKind::tcp}) {
    bool const tcp = transport == tractor::TransportKind::tcp;
    CAPTURE(tcp);
    in_root({.transport = transport}, [&] {
      tractor::open_nursery([&](tractor::ActorNursery& nursery) {
        auto sender = nursery.start_actor(
            "sender", tractor::expose<send_and_read, so_far, send_back, resident>);
        auto other = nursery.start_actor("other", tractor::expose<send_back>);
        int rounds = 0;
        int rounds_elsewhere = 0;
        int given = 0;
        auto const talk = [&](tractor::Portal const& portal, int& count) {
          for (;; ++count) {
            have_sent_back(portal, End::whole);
            trio::sleep(1ms);
          }
        };
        have_sent_back(sender, End::whole);
        std::size_t const before = resident();
        std::size_t const before_there = sender.run<resident>();
        sender.open_context<send_and_read>([&](auto& ctx) {
          auto stream = ctx.open_stream();
          while (sender.run<so_far>()[0] < static_cast<int>(window)) {}
          trio::open_nursery([&](trio::Nursery& tasks) {
            tasks.start_soon([&] { talk(sender, rounds); });
            tasks.start_soon([&] { talk(other, rounds_elsewhere); });
            tasks.start_soon([&] {
              tractor::Bytes const load(std::string(load_size, 'x'));
              for (;; ++given) {
                stream.send(load);
                trio::sleep(1ms);
              }
            });
            // Longer than the heartbeats of tcp may be missing.
            trio::sleep(tcp ? 5s : 1s);
            tasks.cancel_scope().cancel();
          });
          CHECK(sender.run<so_far>()[0] == window);
          while (sender.run<so_far>()[1] < given) {}
          CHECK(given > 50);
          CHECK(rounds > 50);
          CHECK(rounds_elsewhere > 50);
          if (measures) {
            CHECK(resident() < before + most);
            CHECK(sender.run<resident>() < before_there + most);
          }
          // Nothing was lost.
          for (std::size_t i = 0; i < 3 * window; ++i)
            REQUIRE(stream.receive().bytes()[0] == static_cast<std::byte>(i));
          ctx.cancel();
        });
        sender.cancel_actor();
        other.cancel_actor();
      });
    });
  }
}
