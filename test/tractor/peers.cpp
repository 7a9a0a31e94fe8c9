// SPDX-License-Identifier: BSL-1.0
// What an actor makes of what a peer says, in an order that the test chooses: also of a peer that
// breaks the rules.
#include "../../lib/tractor/runtime/local_actor.hpp"
#include "../../lib/tractor/runtime/peer.hpp"
#include "support.hpp"

#include <trio/errors.hpp>
#include <trio/testing.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace std::chrono_literals;
using support::in_root;
using support::thrown_by;
using tractor::ipc::Lane;
namespace wire = tractor::wire;

namespace {

// The ends of a link that only exists here: what the peer has said and we have not heard, and what
// we have said.
struct Line {
  std::deque<tractor::ipc::Frame> heard;
  std::vector<wire::Message> said;
  trio::lowlevel::ParkingLot reader;
  bool closed = false;
  // What reading it throws from now on.
  std::exception_ptr broken;

  void say(wire::Message const& message, tractor::Buffer payload = {}) {
    heard.push_back({wire::encode_header(message), std::move(payload)});
    reader.unpark_all();
  }

  // What reads it gets this.
  template <class E> void cut(E const& error) {
    broken = std::make_exception_ptr(error);
    reader.unpark_all();
  }

  // The last of a kind that we have said; null if there is none.
  template <class Message> Message const* last() const {
    for (auto message = said.rbegin(); message != said.rend(); ++message)
      if (auto const* found = std::get_if<Message>(&*message)) return found;
    return nullptr;
  }
};

class LineEnd final : public tractor::ipc::Link {
 public:
  explicit LineEnd(std::shared_ptr<Line> line) : line_(std::move(line)) {}

  void wait_connected() override {}

  void send(Lane, tractor::ipc::Frame frame) override {
    if (line_->closed) throw tractor::TransportClosed("closed");
    line_->said.push_back(wire::decode_header(frame.header.bytes()));
  }

  tractor::ipc::Frame receive() override {
    while (line_->heard.empty()) {
      if (line_->closed) throw tractor::TransportClosed("closed");
      if (line_->broken) std::rethrow_exception(line_->broken);
      line_->reader.park();
    }
    auto frame = std::move(line_->heard.front());
    line_->heard.pop_front();
    return frame;
  }

  void close(trio::Duration) override {
    line_->closed = true;
    line_->reader.unpark_all();
  }

  std::optional<tractor::ipc::PeerCredentials> credentials() const override { return std::nullopt; }

 private:
  std::shared_ptr<Line> const line_;
};

// Runs `body` with a portal to a peer, and the line on which the test speaks as that peer. No wait
// of the body's may be longer than some seconds.
template <class Body> void with_peer(tractor::Exposed exposed, Body body) {
  in_root({.expose = exposed}, [&] {
    auto const line = std::make_shared<Line>();
    auto const peer = std::make_shared<tractor::runtime::Peer>(
        tractor::LocalActor::current(), std::make_unique<LineEnd>(line),
        tractor::runtime::Peer::Side::listened);
    tractor::ActorId const id{"peer", "0123", 4567};
    line->say(wire::Hello{wire::protocol_version, id, tractor::build_id()});
    peer->await_introduction(id);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { peer->serve(); });
      trio::fail_after(5s, [&] { body(tractor::Portal(peer), *line); });
      nursery.cancel_scope().cancel();
    });
  });
}

// A context of F, begun by the peer: its first dialog.
template <auto F, class... A> void open_there(Line& line, std::uint64_t dialog, A&&... arguments) {
  wire::Start start;
  start.dialog = dialog;
  start.opens = wire::Opens::context;
  start.function.name = tractor::function_id<F>().name();
  start.function.record = tractor::function_id<F>().offset();
  line.say(start, tractor::encode_arguments<F>(std::forward<A>(arguments)...));
}

struct Numbers {
  using ToCallee = int;
  using ToCaller = int;
};

// How what was called last has ended.
std::exception_ptr ended_by;

void wait_in_stream(tractor::Context<Numbers>& ctx) {
  auto stream = ctx.open_stream();
  trio::shielded([&] { ended_by = thrown_by([&] { stream.receive(); }); });
}

// Its first act is to open its stream.
void count(tractor::Context<Numbers>& ctx) {
  auto stream = ctx.open_stream();
  stream.send(1);
}

void count_one_way(tractor::SendStream<int>& stream) { stream.send(1); }

// How each of two tasks has ended that send more than anybody reads, and how much they sent.
std::vector<std::exception_ptr> senders;
int sent = 0;

template <class Stream> void send_from_two_tasks(Stream& stream) {
  senders.clear();
  sent = 0;
  trio::open_nursery([&](trio::Nursery& nursery) {
    for (int i = 0; i < 2; ++i)
      nursery.start_soon([&] {
        senders.push_back(thrown_by([&] {
          for (;; ++sent) stream.send(sent);
        }));
      });
  });
}

void send_shielded(tractor::Context<Numbers>& ctx) {
  auto stream = ctx.open_stream();
  trio::shielded([&] { send_from_two_tasks(stream); });
}

// Opens a context of which the peer never says Started: when it has been asked to begin, `say` says
// what comes instead. Its body must not begin; `check` gets what it ends with.
template <class Say, class Check> void check_opening(Say say, Check check) {
  with_peer({}, [&](tractor::Portal portal, Line& line) {
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        auto const error =
            thrown_by([&] { portal.open_context<wait_in_stream>([](auto&) { FAIL("begun"); }); });
        CAPTURE(trio::describe(error));
        check(error);
      });
      trio::testing::wait_all_tasks_blocked();
      REQUIRE(line.last<wire::Start>());
      say(line, line.last<wire::Start>()->dialog);
    });
    CHECK(portal.open_calls() == 0);
  });
}

}  // namespace

TEST_CASE("a peer that returns from a context before it has started it loses its link") {
  check_opening([](Line& line, std::uint64_t dialog) { line.say(wire::Return{dialog}); },
                [](std::exception_ptr const& error) {
                  CHECK(trio::exception_cast<tractor::TransportClosed>(error));
                });
}

TEST_CASE("a peer that returns from a context of ours loses its link, and we learn of it") {
  with_peer(tractor::expose<wait_in_stream>, [](tractor::Portal portal, Line& line) {
    open_there<wait_in_stream>(line, 1);
    trio::testing::wait_all_tasks_blocked();
    REQUIRE(line.last<wire::Started>());
    line.say(wire::Return{1});
    while (portal.open_tasks() > 0) trio::lowlevel::checkpoint();
    CAPTURE(trio::describe(ended_by));
    CHECK(trio::exception_cast<tractor::TransportClosed>(ended_by));
  });
}

TEST_CASE("a context that is cancelled before its function has begun is cancelled, not misused") {
  auto const cancelled_at_once = [](auto open) {
    with_peer(tractor::expose<count, count_one_way>, [&](tractor::Portal portal, Line& line) {
      open(line);
      line.say(wire::Cancel{1, "a task", "not wanted"});
      trio::testing::wait_all_tasks_blocked();
      CHECK(portal.open_tasks() == 0);
      auto const* end = line.last<wire::Error>();
      REQUIRE(end);
      CAPTURE(end->error.message);
      CHECK(end->kind == wire::Error::Kind::cancelled);
    });
  };
  cancelled_at_once([](Line& line) { open_there<count>(line, 1); });
  cancelled_at_once([](Line& line) { open_there<count_one_way>(line, 1); });
}

TEST_CASE("whoever waits for its turn to send is told how the context has ended") {
  SUBCASE("the caller") {
    with_peer({}, [](tractor::Portal portal, Line& line) {
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([&] {
          CHECK_THROWS_AS(portal.open_context<count>([](auto& ctx) {
            auto stream = ctx.open_stream();
            trio::shielded([&] { send_from_two_tasks(stream); });
          }),
                          tractor::RemoteActorError);
        });
        trio::testing::wait_all_tasks_blocked();
        std::uint64_t const dialog = line.last<wire::Start>()->dialog;
        line.say(wire::Started{dialog});
        trio::testing::wait_all_tasks_blocked();
        wire::Error error{dialog};
        error.error.message = "the reason";
        error.after_started = true;
        line.say(error);
      });
    });
  }
  SUBCASE("the callee") {
    with_peer(tractor::expose<send_shielded>, [](tractor::Portal portal, Line& line) {
      open_there<send_shielded>(line, 1);
      trio::testing::wait_all_tasks_blocked();
      wire::Error error{1};
      error.error.message = "the reason";
      line.say(error);
      while (portal.open_tasks() > 0) trio::lowlevel::checkpoint();
    });
  }
  CHECK(sent == 64);
  REQUIRE(senders.size() == 2);
  for (auto const& error : senders) {
    CAPTURE(trio::describe(error));
    CHECK(trio::exception_cast<tractor::RemoteActorError>(error));
  }
}

TEST_CASE("a message of more items than were granted is refused before there are any") {
  std::vector<tractor::Buffer> const empty(65);
  auto const message_of = [&](std::size_t count) {
    return wire::join_items({empty.data(), count}, count * sizeof(wire::ItemSize));
  };
  CHECK(wire::split_items(message_of(64), 64).size() == 64);
  CHECK_THROWS_AS(wire::split_items(message_of(65), 64), tractor::DecodeError);
}

TEST_CASE("whatever ends the reading of a link ends what waits there, and no other link") {
  check_opening([](Line& line, std::uint64_t) { line.cut(std::bad_alloc()); },
                [](std::exception_ptr const& error) {
                  CHECK(trio::exception_cast<tractor::TransportClosed>(error));
                });
}

TEST_CASE("what a callee has ended with is not lost with the link, though its start never came") {
  check_opening(
      [](Line& line, std::uint64_t dialog) {
        line.say(wire::Error{.dialog = dialog,
                             .error = {.type = "std::out_of_range", .message = "no such number"},
                             .after_started = true});
        trio::testing::wait_all_tasks_blocked();
        line.cut(tractor::TransportClosed("cut"));
      },
      [](std::exception_ptr const& error) {
        auto const* remote = trio::exception_cast<tractor::RemoteActorError>(error);
        REQUIRE(remote);
        CHECK(remote->boxed().message == "no such number");
      });
}
