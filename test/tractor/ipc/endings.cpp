// SPDX-License-Identifier: BSL-1.0
// How links end: in order, by force, and by the end of what carries them.
#include "../../../lib/tractor/ipc/zmq_link.hpp"
#include "../../sanitized.hpp"
#include "child.hpp"
#include "raw_peer.hpp"
#include "support.hpp"

#include <trio/testing.hpp>

#include <cstring>
#include <fstream>
#include <string>
#include <utility>

#include <malloc.h>
#include <signal.h>

using namespace ipc_test;

namespace {

// What is not to be changed unawares.
constexpr auto closed_here = "tractor: the link was closed at this end";
constexpr auto closed_there = "tractor: the other end closed the link";

// What comes until the link is over.
int count_until_over(Link& link) {
  for (int count = 0;; ++count) {
    try {
      (void)link.receive();
    } catch (TransportClosed const&) {
      return count;
    }
  }
}

}  // namespace

TEST_CASE("closing one end ends the other, which first receives what was sent") {
  play_on_each([](Scene& scene) {
    for (bool const dialled_closes : {true, false}) {
      CAPTURE(dialled_closes);
      Pair pair(scene);
      Link& closing = dialled_closes ? *pair.dialled : *pair.accepted;
      Link& staying = dialled_closes ? *pair.accepted : *pair.dialled;
      closing.send(Lane::data, frame("last", "words"));
      closing.close(10s);
      closing.close(0s);
      CHECK(text(staying.receive()) == "last|words");
      CHECK(reason_of(staying) == closed_there);
      CHECK(reason_of(staying) == closed_there);
      CHECK_THROWS_AS(staying.send(Lane::data, frame("too", "late")), TransportClosed);
      CHECK(reason_of(closing) == closed_here);
      CHECK_THROWS_WITH_AS(closing.send(Lane::data, frame("too", "late")), closed_here,
                           TransportClosed);
      CHECK_THROWS_AS(closing.wait_connected(), TransportClosed);
    }
  });
}

TEST_CASE("destroying one end ends the other") {
  play_on_each([](Scene& scene) {
    for (bool const dialled_goes : {true, false}) {
      CAPTURE(dialled_goes);
      Pair pair(scene);
      (dialled_goes ? pair.dialled : pair.accepted).reset();
      Link& staying = dialled_goes ? *pair.accepted : *pair.dialled;
      CHECK(count_until_over(staying) == 0);
    }
  });
}

TEST_CASE("closing drops what has not left, however far it is") {
  play_on_each([](Scene& scene) {
    for (int const checkpoints : {0, 1, 2, 5}) {
      CAPTURE(checkpoints);
      Pair pair(scene);
      pair.dialled->send(Lane::data, {buffer("bulk"), Buffer(100'000'000)});
      for (int i = 0; i < checkpoints; ++i) trio::lowlevel::checkpoint();
      pair.dialled.reset();
      CHECK(count_until_over(*pair.accepted) <= 1);
    }
  });
}

TEST_CASE("what was sent before a lingering close arrives, though all objects go at once") {
  constexpr int count = 40;
  play_on_each([](Scene& scene) {
    for (bool const dialled_closes : {true, false}) {
      CAPTURE(dialled_closes);
      Pair pair(scene);
      Link& closing = dialled_closes ? *pair.dialled : *pair.accepted;
      Link& staying = dialled_closes ? *pair.accepted : *pair.dialled;
      for (int i = 0; i < count; ++i) {
        closing.send(Lane::data, {buffer("bulk"), Buffer(1'000'000)});
        closing.send(Lane::control, frame("small", ""));
        // What the closing end will never read must not spoil what it said. TCP cannot promise
        // that.
        if (scene.options.kind == TransportKind::ipc)
          staying.send(Lane::data, {buffer("ignored"), Buffer(1'000'000)});
      }
      closing.close(30s);
      if (dialled_closes) {
        pair.dialled.reset();
        pair.dialling.reset();
      } else {
        pair.accepted.reset();
        pair.listener.reset();
        pair.accepting.reset();
      }
      CHECK(count_until_over(staying) == 2 * count);
    }
  });
}

TEST_CASE("on ipc, who sends to a peer that has gone is told so, though it has read nothing yet") {
  play(TransportKind::ipc, [](Scene& scene) {
    Pair pair(scene);
    pair.accepted->send(Lane::data, frame("last", "words"));
    pair.accepted->close(0s);
    // The kernel tells by the first.
    pair.dialled->send(Lane::data, frame("to", "nobody"));
    CHECK_THROWS_AS(pair.dialled->send(Lane::data, frame("to", "nobody")), TransportClosed);
    CHECK(text(pair.dialled->receive()) == "last|words");
    CHECK(reason_of(*pair.dialled) == closed_there);
  });
}

TEST_CASE("on ipc, what cannot leave is given up when the linger is over, or the process ends") {
  play(TransportKind::ipc, [](Scene& scene) {
    for (bool const process_ends : {false, true}) {
      CAPTURE(process_ends);
      auto const transport = scene.transport();
      auto const listener = transport->listen("here");
      auto const link = listener->expect("never reads");
      RawStream peer(listener->endpoint());
      peer.write(greeting("never reads"));
      link->wait_connected();
      link->send(Lane::data, {buffer("much"), Buffer(100'000'000)});
      trio::testing::wait_all_tasks_blocked();
      if (process_ends) transport->process_ends();
      link->close(process_ends ? 1000s : 10ms);
      if (!process_ends) trio::sleep(10ms);
      CHECK(trio::fail_after(50s, [&] { return peer.read_to_end(); }).size() < 50'000'000);
    }
  });
}

TEST_CASE("the end of the listener is the end of its links") {
  play_on_each([](Scene& scene) {
    Pair pair(scene);
    auto const waiting = pair.listener->expect("nobody yet");
    pair.listener.reset();
    CHECK(reason_of(*pair.accepted) == "tractor: the listener of this link was closed");
    CHECK_THROWS_AS(waiting->wait_connected(), TransportClosed);
    CHECK(count_until_over(*pair.dialled) == 0);
  });
}

TEST_CASE("a link may be closed and destroyed while a task waits in it") {
  play_on_each([](Scene& scene) {
    Pair pair(scene);
    auto waiting = pair.listener->expect("nobody yet");
    auto connecting = pair.dialling->connect(pair.listener->endpoint(), "unknown");
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (Link* end : {pair.accepted.get(), pair.dialled.get()})
        nursery.start_soon([end] { CHECK_THROWS_AS((void)end->receive(), TransportClosed); });
      for (Link* end : {waiting.get(), connecting.get()})
        nursery.start_soon([end] { CHECK_THROWS_AS(end->wait_connected(), TransportClosed); });
      trio::lowlevel::checkpoint();
      trio::lowlevel::checkpoint();
      pair.accepted.reset();
      pair.dialled.reset();
      waiting.reset();
      connecting.reset();
    });
  });
}

TEST_CASE("a peer that is killed in the middle of a message: no half of it arrives") {
  for (auto const kind : {TransportKind::ipc, TransportKind::tcp}) {
    CAPTURE(kind);
    Child child([kind](std::string const& endpoint) {
      dial(kind, endpoint, "child", [](Transport&, Link& link) {
        link.send(Lane::data, frame("whole", ""));
        for (int i = 0; i < 4; ++i) link.send(Lane::data, {buffer("half"), Buffer(300'000'000)});
        trio::sleep_forever();
      });
    });
    play(kind, [&](Scene& scene) {
      auto const transport = scene.transport();
      auto const listener = transport->listen("here");
      auto const link = listener->expect("child");
      child.tell(listener->endpoint());
      link->wait_connected();
      if (kind == TransportKind::ipc) CHECK(link->credentials()->pid == child.pid());
      CHECK(text(link->receive()) == "whole|");
      child.signal(SIGKILL);
      CHECK(contains(reason_of(*link), "gone"));
      CHECK_THROWS_AS(link->send(Lane::data, frame("too", "late")), TransportClosed);
    });
  }
}

TEST_CASE("a listener that is killed: those who dialled know") {
  for (auto const kind : {TransportKind::ipc, TransportKind::tcp}) {
    CAPTURE(kind);
    Child child([kind](std::string const& endpoint) {
      dial(kind, endpoint, "child", [](Transport& transport, Link& link) {
        auto const listener = transport.listen("there");
        auto const accepted = listener->expect("we");
        link.send(Lane::control, frame(listener->endpoint(), ""));
        trio::sleep_forever();
      });
    });
    play(kind, [&](Scene& scene) {
      auto const transport = scene.transport();
      auto const listener = transport->listen("here");
      auto const link = listener->expect("child");
      child.tell(listener->endpoint());
      auto const dialled = transport->connect(text(link->receive().header), "we");
      dialled->wait_connected();
      child.signal(SIGKILL);
      CHECK(contains(reason_of(*dialled), "is gone"));
      CHECK_THROWS_AS(dialled->send(Lane::data, frame("too", "late")), TransportClosed);
      CHECK(contains(reason_of(*link), "gone"));
    });
  }
}

namespace {

// What a child does that stops itself when it is told to.
auto stand_still(TransportKind kind) {
  return [kind](std::string const& endpoint) {
    dial(kind, endpoint, "child", [](Transport&, Link& link) {
      (void)link.receive();
      raise(SIGSTOP);
    });
  };
}

}  // namespace

TEST_CASE("a peer that stands still delays the end by no more than the linger") {
  bool waits_before_closing = false;
  SUBCASE("closed at once") {}
  SUBCASE("closed when what is sent waits for the peer already") { waits_before_closing = true; }
  for (auto const kind : {TransportKind::ipc, TransportKind::tcp}) {
    CAPTURE(kind);
    Child child(stand_still(kind));
    std::chrono::steady_clock::time_point begin;
    play(kind, [&](Scene& scene) {
      auto const transport = scene.transport();
      auto const listener = transport->listen("here");
      auto const link = listener->expect("child");
      child.tell(listener->endpoint());
      link->wait_connected();
      link->send(Lane::control, frame("stand", "still"));
      child.await_stop();
      link->send(Lane::data, {buffer("never read"), Buffer(100'000'000)});
      if (waits_before_closing) trio::testing::wait_all_tasks_blocked();
      link->close(300ms);
      begin = std::chrono::steady_clock::now();
    });
    auto const took = std::chrono::steady_clock::now() - begin;
    CHECK(took > 200ms);
    CHECK(took < 5s);
  }
}

TEST_CASE("with heartbeats, a peer that stands still loses its link, in the bound that was set") {
  Child child(stand_still(TransportKind::tcp));
  play(TransportKind::tcp, [&](Scene& scene) {
    scene.options.heartbeat_bound = 800ms;
    auto const transport = scene.transport();
    auto const listener = transport->listen("here");
    auto const link = listener->expect("child");
    child.tell(listener->endpoint());
    link->wait_connected();
    link->send(Lane::control, frame("stand", "still"));
    child.await_stop();
    auto const begin = std::chrono::steady_clock::now();
    CHECK(contains(reason_of(*link), "gone"));
    auto const took = std::chrono::steady_clock::now() - begin;
    CHECK(took >= 500ms);
    CHECK(took <= 1500ms * support::slowness());
  });
}

TEST_CASE("a message beyond the limit ends the link, at both ends, and only that one") {
  play_on_each([](Scene& scene) {
    auto const dialling = scene.transport();
    scene.options.max_message_size = 1'000'000;
    auto const accepting = scene.transport();
    auto const listener = accepting->listen("here");
    auto const accepted = listener->expect("sends too much");
    auto const other_accepted = listener->expect("another");
    auto const dialled = dialling->connect(listener->endpoint(), "sends too much");
    auto const other_dialled = dialling->connect(listener->endpoint(), "another");
    dialled->wait_connected();
    other_dialled->wait_connected();
    dialled->send(Lane::data, frame("before", ""));
    dialled->send(Lane::data, {buffer("too much"), Buffer(1'000'001)});
    CHECK(text(accepted->receive()) == "before|");
    CHECK(count_until_over(*accepted) == 0);
    CHECK(count_until_over(*dialled) == 0);
    other_dialled->send(Lane::data, {buffer("just"), Buffer(999'996)});
    CHECK(text(other_accepted->receive().header) == "just");
  });
}

namespace {

// An end of a link whose connections are in the test's hands.
class HeldLink final : public tractor::ipc::ZmqLink {
 public:
  explicit HeldLink(HeldLink* peer = nullptr) : peer_(peer) {
    if (peer) peer->peer_ = this;
    lane_opened(Lane::control);
    lane_opened(Lane::data);
  }

  // What was said by that lane arrives at the other end.
  void deliver(Lane lane) {
    for (auto& message : std::exchange(said_[static_cast<std::size_t>(lane)], {}))
      peer_->lane_received(lane, {&message, 1});
  }

 private:
  bool transmit(Lane lane, std::span<zmq::message_t> parts) override {
    said_[static_cast<std::size_t>(lane)].push_back(std::move(parts[0]));
    return true;
  }

  void release(trio::Duration) override {}

  void report(std::string const& what) override { FAIL_CHECK(what); }

  HeldLink* peer_;
  std::array<std::vector<zmq::message_t>, 2> said_;
};

}  // namespace

TEST_CASE("a lost lane ends the link at both ends, in whatever order they learn of it") {
  auto clock = trio::testing::MockClock::autojumping();
  trio::run({.clock = &clock}, [] {
    HeldLink first;
    HeldLink second(&first);
    SUBCASE("each before the other's word comes") {
      first.lane_lost(Lane::data, "lost");
      second.lane_lost(Lane::data, "lost");
    }
    SUBCASE("one by the other's word first") {
      first.lane_lost(Lane::data, "lost");
      first.deliver(Lane::control);
      second.lane_lost(Lane::data, "lost");
    }
    SUBCASE("one by the other's word, and then by its own closing") {
      first.lane_lost(Lane::data, "lost");
      first.deliver(Lane::control);
      second.close(0s);
    }
    first.deliver(Lane::control);
    second.deliver(Lane::control);
    for (auto* end : {&first, &second})
      CHECK(trio::fail_after(1s, [&] { return count_until_over(*end); }) == 0);
  });
}

TEST_CASE("the end of the service nursery is the end of the links") {
  play_on_each([](Scene& scene) {
    auto const dialling = scene.transport();
    std::unique_ptr<Transport> accepting;
    std::unique_ptr<Listener> listener;
    std::unique_ptr<Link> accepted;
    std::unique_ptr<Link> waiting;
    std::unique_ptr<Link> dialled;
    trio::open_nursery([&](trio::Nursery& service) {
      accepting = tractor::ipc::make_transport(service, scene.options);
      listener = accepting->listen("here");
      accepted = listener->expect("somebody");
      waiting = listener->expect("nobody yet");
      dialled = dialling->connect(listener->endpoint(), "somebody");
      dialled->wait_connected();
      service.cancel_scope().cancel();
    });
    CHECK(contains(reason_of(*accepted), "cancelled"));
    CHECK(contains(reason_of(*waiting), "cancelled"));
    CHECK(contains(reason_of(*listener->expect("somebody else")), "cancelled"));
    listener.reset();
    CHECK(count_until_over(*dialled) == 0);
  });
}

TEST_CASE("the end of the service nursery is the end of the links that were dialled in it") {
  play_on_each([](Scene& scene) {
    auto const accepting = scene.transport();
    auto const listener = accepting->listen("here");
    auto const accepted = listener->expect("somebody");
    std::unique_ptr<Transport> dialling;
    std::unique_ptr<Link> dialled;
    std::unique_ptr<Link> connecting;
    trio::open_nursery([&](trio::Nursery& service) {
      dialling = tractor::ipc::make_transport(service, scene.options);
      dialled = dialling->connect(listener->endpoint(), "somebody");
      dialled->wait_connected();
      connecting = dialling->connect(listener->endpoint(), "somebody else");
      service.cancel_scope().cancel();
    });
    CHECK(contains(reason_of(*dialled), "cancelled"));
    CHECK(contains(reason_of(*connecting), "cancelled"));
    CHECK(count_until_over(*accepted) == 0);
  });
}

TEST_CASE("on ipc, a link that is closed while it connects leaves no task, nor comes in") {
  play(TransportKind::ipc, [](Scene& scene) {
    auto const transport = scene.transport();
    // Nobody accepts here, and the queue of those who wait is full.
    auto const full = trio::open_unix_listener(scene.directory.path() + "/full", 0);
    RawStream const first("ipc://" + scene.directory.path() + "/full");
    auto const tasks = [] {
      trio::testing::wait_all_tasks_blocked();
      return trio::lowlevel::current_statistics().tasks_living;
    };
    auto const before = tasks();
    auto const connecting = transport->connect("ipc://" + scene.directory.path() + "/full", "me");
    trio::sleep(1ms);
    CHECK(trio::lowlevel::current_statistics().tasks_living > before);
    connecting->close(10s);
    CHECK(tasks() == before);
    // One that has not begun to.
    auto const listener = transport->listen("here");
    auto const expected = listener->expect("somebody");
    transport->connect(listener->endpoint(), "somebody").reset();
    trio::testing::wait_all_tasks_blocked();
    auto const late = transport->connect(listener->endpoint(), "somebody");
    late->wait_connected();
  });
}

TEST_CASE("on ipc, what is sent to one whose last word is here already is dropped") {
  play(TransportKind::ipc, [](Scene& scene) {
    auto const transport = scene.transport();
    auto const listener = transport->listen("here");
    for (std::size_t const size : {10, 100'000'000}) {
      CAPTURE(size);
      auto const link = listener->expect("leaves");
      RawStream peer(listener->endpoint());
      peer.write(greeting("leaves"));
      link->wait_connected();
      trio::testing::wait_all_tasks_blocked();
      peer.write(packet({tractor::ipc::PacketKind::end, Lane::control, 0, 0}));
      link->send(Lane::data, {buffer("in vain"), Buffer(size)});
      CHECK(reason_of(*link) == closed_there);
    }
  });
}

TEST_CASE("on ipc, a link that is over holds nothing of what it had still to send") {
  play(TransportKind::ipc, [](Scene& scene) {
    Pair pair(scene);
    int freed = 0;
    std::vector<std::byte> large(10'000'000);
    auto const count = [](void*, void* counter) { ++*static_cast<int*>(counter); };
    pair.dialled->send(Lane::data,
                       {buffer("much"), Buffer(large.data(), large.size(), count, &freed)});
    CHECK(freed == 0);
    pair.accepted->close(0s);
    CHECK(reason_of(*pair.dialled) == closed_there);
    CHECK(freed == 1);
  });
}

TEST_CASE("on ipc, a link that is over holds nothing of what it had half received") {
  if (support::sanitized || support::under_tsan) return;
  play(TransportKind::ipc, [](Scene& scene) {
    auto const transport = scene.transport();
    auto const listener = transport->listen("here");
    auto const link = listener->expect("half");
    RawStream peer(listener->endpoint());
    constexpr std::size_t size = 100'000'000;
    peer.write(greeting("half") +
               packet({tractor::ipc::PacketKind::large_frame, Lane::data, 0, size}) +
               packet({tractor::ipc::PacketKind::chunk, Lane::data, 0, size}));
    link->wait_connected();
    trio::testing::wait_all_tasks_blocked();
    auto const mapped = mallinfo2().hblkhd;
    CHECK(mapped >= size);
    peer.write("GET");
    bool closed_here_first = false;
    SUBCASE("lost") { peer.hang_up(); }
    SUBCASE("closed") {
      closed_here_first = true;
      link->close(0s);
    }
    CHECK(contains(reason_of(*link), closed_here_first ? "at this end" : "is gone"));
    CHECK(mallinfo2().hblkhd + size <= mapped);
  });
}

TEST_CASE("transports, listeners and links may be destroyed after the run, in any order") {
  for (int const order : {0, 1, 2}) {
    CAPTURE(order);
    std::unique_ptr<Transport> transport;
    std::unique_ptr<Listener> listener;
    std::unique_ptr<Link> accepted;
    std::unique_ptr<Link> dialled;
    play(TransportKind::ipc, [&](Scene& scene) {
      transport = scene.transport();
      listener = transport->listen("here");
      accepted = listener->expect("somebody");
      dialled = transport->connect(listener->endpoint(), "somebody");
      dialled->wait_connected();
      dialled->send(Lane::data, frame("never", "received"));
    });
    if (order == 0) transport.reset();
    if (order <= 1) listener.reset();
    accepted.reset();
    dialled.reset();
  }
}

TEST_CASE("dialling where nobody listens, or nobody of ours, fails with a sentence") {
  play(TransportKind::ipc, [](Scene& scene) {
    auto const transport = scene.transport();
    auto const nowhere = transport->connect("ipc://" + scene.directory.path() + "/nowhere", "me");
    CHECK_THROWS_WITH_AS(
        nowhere->wait_connected(),
        ("tractor: nobody listens at ipc://" + scene.directory.path() + "/nowhere").c_str(),
        TransportClosed);
    std::ofstream(scene.directory.path() + "/file") << "no directory";
    auto const astray = transport->connect("ipc://" + scene.directory.path() + "/file/it", "me");
    CHECK_THROWS_WITH_AS(
        astray->wait_connected(),
        ("tractor: cannot connect to ipc://" + scene.directory.path() + "/file/it: Not a directory")
            .c_str(),
        TransportClosed);
    CHECK_THROWS_AS((void)transport->connect("what is that?", "me"), TransportClosed);
    CHECK_THROWS_AS((void)transport->connect("ipc://" + std::string(200, 'x'), "me"),
                    TransportClosed);
  });
  play(TransportKind::tcp, [](Scene& scene) {
    auto const transport = scene.transport();
    std::string endpoint;
    {
      auto const listener = transport->listen("here");
      endpoint = listener->endpoint();
    }
    auto const nobody = transport->connect(endpoint, "me");
    CHECK_THROWS_AS(nobody->wait_connected(), TransportClosed);
  });
}
