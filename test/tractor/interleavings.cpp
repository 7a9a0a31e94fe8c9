// SPDX-License-Identifier: BSL-1.0
// The whole runtime of contexts, under random orders of events: two actors in one run, a link
// between them that delays each frame as long as it likes and may be cut, the clock of the tests,
// and bodies at both ends that send, receive, leave, cancel and throw when they like.
#include "../../lib/tractor/ipc/transport.hpp"
#include "../../lib/tractor/runtime/local_actor.hpp"
#include "../../lib/tractor/runtime/peer.hpp"
#include "support.hpp"

#include <trio/errors.hpp>
#include <trio/testing.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using support::thrown_by;
using tractor::LocalActor;
using tractor::Portal;
using tractor::runtime::Peer;

namespace {

// Decisions, the same for the same seed.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}

  // Below `sides`.
  unsigned roll(unsigned sides) { return static_cast<unsigned>(engine_() % sides); }

  bool one_in(unsigned sides) { return roll(sides) == 0; }

  trio::Duration pause(unsigned most = 3000) { return std::chrono::microseconds(roll(most)); }

 private:
  std::mt19937_64 engine_;
};

// What lies between the two ends: each lane keeps its order, and neither waits for the other.
struct Wire {
  struct Way {
    struct InFlight {
      trio::Time arrival;
      tractor::ipc::Frame frame;
    };

    std::array<std::deque<InFlight>, 2> lanes;
    trio::lowlevel::ParkingLot reader;
  };

  explicit Wire(std::uint64_t seed) : dice(seed) {}

  // What was on its way is lost.
  void cut() {
    for (Way& way : ways)
      for (auto& lane : way.lanes) lane.clear();
    close();
  }

  void close() {
    closed = true;
    for (Way& way : ways) way.reader.unpark_all();
  }

  Dice dice;
  std::array<Way, 2> ways;
  bool closed = false;
};

class WireEnd final : public tractor::ipc::Link {
 public:
  WireEnd(std::shared_ptr<Wire> wire, bool first)
      : wire_(std::move(wire)), out_(wire_->ways[first]), in_(wire_->ways[!first]) {}

  ~WireEnd() override { wire_->close(); }

  void wait_connected() override { trio::lowlevel::checkpoint(); }

  void send(tractor::ipc::Lane lane, tractor::ipc::Frame frame) override {
    if (wire_->closed) throw tractor::TransportClosed("the wire was cut");
    auto& queue = out_.lanes[static_cast<std::size_t>(lane)];
    trio::Time arrival = trio::current_time();
    if (wire_->dice.one_in(2)) arrival = trio::after(arrival, wire_->dice.pause());
    if (!queue.empty()) arrival = std::max(arrival, queue.back().arrival);
    queue.push_back({arrival, std::move(frame)});
    out_.reader.unpark_all();
  }

  tractor::ipc::Frame receive() override {
    trio::lowlevel::checkpoint();
    for (;;) {
      trio::Time next = trio::never;
      for (auto& lane : in_.lanes) {
        if (lane.empty()) continue;
        if (lane.front().arrival <= trio::current_time()) {
          auto frame = std::move(lane.front().frame);
          lane.pop_front();
          return frame;
        }
        next = std::min(next, lane.front().arrival);
      }
      if (wire_->closed && next == trio::never) throw tractor::TransportClosed("the wire was cut");
      static_cast<void>(trio::move_on_at(next, [&] { in_.reader.park(); }));
    }
  }

  void close(trio::Duration) override { wire_->close(); }

  std::optional<tractor::ipc::PeerCredentials> credentials() const override { return {}; }

 private:
  std::shared_ptr<Wire> wire_;
  Wire::Way& out_;
  Wire::Way& in_;
};

// ------------------------------------------------------------------------------- what is played

struct Numbers {
  using Started = int;
  using ToCallee = int;
  using ToCaller = int;
};

struct AsPlanned : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// One direction of a stream.
struct Way {
  int sent = 0;
  int got = 0;
};

// A context: what both sides, which share their memory here, have done in it.
struct Play {
  std::uint64_t seed = 0;
  // One in so many steps goes wrong; none: 0.
  unsigned risk = 0;
  Way to_callee = {};
  Way to_caller = {};
  bool anything_goes_wrong = false;
  bool started = false;
  bool begun = false;
  bool returned = false;
};

// All that are played, by their numbers.
std::vector<std::unique_ptr<Play>> plays;

// What may happen at any point.
template <class Ctx> void tempt_fate(Ctx& ctx, Play& play, Dice& dice) {
  if (dice.one_in(3)) trio::sleep(dice.pause());
  if (play.risk == 0 || !dice.one_in(play.risk)) return;
  play.anything_goes_wrong = true;
  if (dice.one_in(2)) throw AsPlanned("as planned");
  ctx.cancel();
}

// Both ways of one side at once, until both have ended, or it leaves early.
template <class Ctx> void stream_both_ways(Ctx& ctx, Play& play, Way& out, Way& in, Dice& dice) {
  // One that was cancelled has no stream to open.
  trio::lowlevel::checkpoint();
  if (ctx.cancel_called()) return;
  auto stream = ctx.open_stream({.window = 1 + dice.roll(6)});
  trio::open_nursery([&](trio::Nursery& tasks) {
    tasks.start_soon([&, count = dice.roll(150)] {
      for (unsigned i = 0; i < count; ++i) {
        tempt_fate(ctx, play, dice);
        stream.send(out.sent);
        ++out.sent;
      }
      stream.send_eof();
    });
    for (;;) {
      tempt_fate(ctx, play, dice);
      std::optional<int> const item = stream.next();
      // Only now is it known that all have come.
      if (!item) {
        if (in.got != in.sent) FAIL("ended after " << in.got << " of " << in.sent);
        return;
      }
      if (*item != in.got) FAIL("got " << *item << " for " << in.got);
      ++in.got;
      if (dice.one_in(100)) {
        tasks.cancel_scope().cancel();
        return;
      }
    }
  });
}

int play_callee(tractor::Context<Numbers>& ctx, std::size_t number) {
  Play& play = *plays[number];
  Dice dice(play.seed + 1);
  tempt_fate(ctx, play, dice);
  ctx.started(static_cast<int>(number));
  play.started = true;
  if (!dice.one_in(8)) stream_both_ways(ctx, play, play.to_caller, play.to_callee, dice);
  tempt_fate(ctx, play, dice);
  trio::lowlevel::checkpoint();
  play.returned = true;
  return static_cast<int>(number);
}

// What may come out of a context in which something went wrong.
bool is_expected(std::exception_ptr const& error, bool cut) {
  if (auto const* group = trio::exception_cast<trio::BaseExceptionGroup>(error)) {
    for (auto const& member : group->exceptions())
      if (!is_expected(member, cut)) return false;
    return true;
  }
  if (auto const* remote = trio::exception_cast<tractor::RemoteActorError>(error))
    return trio::exception_cast<tractor::ContextCancelled>(error) ||
           remote->type_name() == trio::detail::type_name(typeid(AsPlanned)) ||
           remote->type_name() == "tractor::StreamAborted" ||
           (cut && remote->type_name() == "tractor::TransportClosed");
  return trio::exception_cast<AsPlanned>(error) ||
         trio::exception_cast<tractor::StreamAborted>(error) ||
         (cut && trio::exception_cast<tractor::TransportClosed>(error));
}

void play_caller(Portal const& portal, std::size_t number, bool const& cut) {
  Play& play = *plays[number];
  Dice dice(play.seed);
  trio::CancelScope scope;
  if (dice.one_in(5)) {
    scope.set_deadline(trio::after(trio::current_time(), dice.pause(30'000)));
    play.anything_goes_wrong = true;
  }
  auto const error = thrown_by([&] {
    scope.enter([&] {
      portal.open_context<play_callee>(number, [&](auto& ctx, int started) {
        if (started != static_cast<int>(number)) FAIL("started with " << started);
        play.begun = true;
        tempt_fate(ctx, play, dice);
        // Who has no stream ends his side of it with the body: that is what the callee waits for.
        if (dice.one_in(8)) return;
        stream_both_ways(ctx, play, play.to_callee, play.to_caller, dice);
        tempt_fate(ctx, play, dice);
        if (dice.one_in(2) && !ctx.cancel_called() && ctx.result() != started) FAIL("wrong result");
      });
    });
  });
  bool const fine = !error || ((play.anything_goes_wrong || cut) && is_expected(error, cut));
  if (!fine) FAIL(trio::describe(error));
  // An error that came of it may be faster than the Started.
  if (play.started && !play.begun && !cut && !scope.cancel_called()) FAIL("it has not begun");
  if (!play.anything_goes_wrong && !cut && !play.returned) FAIL("it has not returned");
}

// Two actors that are linked, for a while, with contexts both ways.
void play_session(LocalActor& first, LocalActor& second, std::uint64_t seed) {
  Dice dice(seed);
  auto const wire = std::make_shared<Wire>(seed);
  auto const one =
      std::make_shared<Peer>(first, std::make_unique<WireEnd>(wire, true), Peer::Side::connected);
  auto const two =
      std::make_shared<Peer>(second, std::make_unique<WireEnd>(wire, false), Peer::Side::listened);
  trio::open_nursery([&](trio::Nursery& nursery) {
    nursery.start_soon([&] { two->await_introduction(first.id()); });
    one->introduce_ourselves();
  });
  for (auto const& [actor, peer] : {std::pair(&first, one), std::pair(&second, two)})
    actor->service_nursery().start_soon([peer = peer] { peer->serve(); });

  constexpr std::array<unsigned, 3> risks{0, 20, 200};
  bool const to_be_cut = dice.one_in(4);
  bool cut = false;
  plays.clear();
  trio::CancelScope cutting;
  trio::open_nursery([&](trio::Nursery& nursery) {
    nursery.start_soon([&] {
      cutting.enter([&] {
        if (!to_be_cut) return;
        trio::sleep(dice.pause(30'000));
        cut = true;
        wire->cut();
      });
    });
    trio::open_nursery([&](trio::Nursery& contexts) {
      for (unsigned count = 2 + dice.roll(5); count > 0; --count) {
        std::size_t const number = plays.size();
        plays.push_back(
            std::make_unique<Play>(Play{.seed = seed * 100 + number, .risk = risks[dice.roll(3)]}));
        // Who leaves waits for the end, so that what is looked at afterwards stands.
        Portal const portal = Portal(dice.one_in(2) ? one : two).with({.cancel_patience = 1h});
        contexts.start_soon([&cut, portal, number] { play_caller(portal, number, cut); });
      }
    });
    cutting.cancel();
  });

  for (auto const& peer : {one, two}) {
    CHECK(peer->open_calls() == 0);
    // Callees that were told of a cut have still to end.
    trio::fail_after(1min, [&] {
      while (peer->open_tasks() > 0) trio::sleep(1ms);
    });
  }
  trio::open_nursery([&](trio::Nursery& nursery) {
    nursery.start_soon([&] { one->say_goodbye(1h); });
    nursery.start_soon([&] { two->say_goodbye(1h); });
  });
  CHECK(one->is_over());
  CHECK(two->is_over());
}

void play_sessions(std::uint64_t seed, int count) {
  trio::testing::MockClock clock = trio::testing::MockClock::autojumping();
  trio::RunOptions options;
  options.clock = &clock;
  options.shuffle_seed = seed;
  trio::run(options, [&] {
    tractor::RootOptions root;
    root.expose = tractor::expose<play_callee>;
    // What a body hides is told, as it should.
    root.log_level = tractor::LogLevel::error;
    root.name = "first";
    auto const first = LocalActor::begin(std::make_shared<LocalActor>(root));
    root.name = "second";
    auto const second = LocalActor::begin(std::make_shared<LocalActor>(root));
    for (int i = 0; i < count; ++i) {
      std::uint64_t const session = seed * 1000 + static_cast<std::uint64_t>(i);
      CAPTURE(session);
      // Days of the clock's time: nobody waits for what will not come.
      auto const outcome =
          trio::move_on_after(24h, [&] { play_session(*first, *second, session); });
      REQUIRE_FALSE(outcome.cut_short);
    }
    second->end();
    first->end();
  });
}

}  // namespace

TEST_CASE("whatever two sides do in whatever order, items keep theirs, and nothing is left") {
  int const runs = support::under_valgrind()                   ? 1
                   : support::sanitized || support::under_tsan ? 8
                                                               : 40;
  for (int seed = 1; seed <= runs; ++seed) play_sessions(static_cast<std::uint64_t>(seed), 50);
}
