// SPDX-License-Identifier: BSL-1.0
// Who is let in, and what strangers and rude peers can do: nothing to anybody but themselves.
#include "../../../lib/tractor/ipc/unix_listening_socket.hpp"
#include "../../sanitized.hpp"
#include "child.hpp"
#include "raw_peer.hpp"
#include "support.hpp"

#include <trio/testing.hpp>

#include <filesystem>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace ipc_test;
using tractor::ipc::PacketKind;

namespace {

// The kinds of messages, as they are on the wire.
std::string const frame_kind("\0", 1);
std::string const large_frame_kind("\1", 1);
std::string const welcome_kind("\2", 1);
std::string const end_kind("\4", 1);

// A link that is to stay unharmed, whatever happens at its listener.
struct Witness {
  explicit Witness(Pair& pair) : pair_(pair) {}

  void check_unharmed() const {
    pair_.dialled->send(Lane::data, frame("still", "there"));
    CHECK(text(pair_.accepted->receive()) == "still|there");
    pair_.accepted->send(Lane::control, frame("so", "am I"));
    CHECK(text(pair_.dialled->receive()) == "so|am I");
  }

 private:
  Pair& pair_;
};

}  // namespace

TEST_CASE("a stranger is refused, at once, and knows why") {
  play_on_each([](Scene& scene) {
    Pair pair(scene);
    auto const stranger = pair.dialling->connect(pair.listener->endpoint(), "stranger");
    std::string reason;
    try {
      stranger->wait_connected();
    } catch (TransportClosed const& closed) {
      reason = closed.what();
    }
    CHECK(contains(reason, "refused by the listener"));
    CHECK(contains(next_report(scene), "refused a stranger"));
    Witness(pair).check_unharmed();
  });
}

TEST_CASE("an identity lets in one peer, once") {
  play_on_each([](Scene& scene) {
    Pair pair(scene);
    auto const second = pair.dialling->connect(pair.listener->endpoint(), "somebody");
    CHECK_THROWS_AS(second->wait_connected(), TransportClosed);
    Witness(pair).check_unharmed();
    pair.dialled->close(0s);
    CHECK_THROWS_AS((void)pair.accepted->receive(), TransportClosed);
    auto const third = pair.dialling->connect(pair.listener->endpoint(), "somebody");
    CHECK_THROWS_AS(third->wait_connected(), TransportClosed);
  });
}

TEST_CASE("an identity is good for its own listener only, and no longer than its link") {
  play_on_each([](Scene& scene) {
    Pair pair(scene);
    auto const elsewhere = pair.accepting->listen("elsewhere");
    auto expected = pair.listener->expect("expected here");
    auto const astray = pair.dialling->connect(elsewhere->endpoint(), "expected here");
    CHECK_THROWS_AS(astray->wait_connected(), TransportClosed);
    expected->close(0s);
    auto const late = pair.dialling->connect(pair.listener->endpoint(), "expected here");
    CHECK_THROWS_AS(late->wait_connected(), TransportClosed);
    Witness(pair).check_unharmed();
  });
}

TEST_CASE("a ZeroMQ peer that does not say who it is, is refused") {
  play(TransportKind::tcp, [](Scene& scene) {
    Pair pair(scene);
    RawPeer const nobody(scene, pair.listener->endpoint(), "");
    CHECK(contains(next_report(scene), "refused a stranger"));
    Witness(pair).check_unharmed();
  });
}

TEST_CASE("a peer cannot choose what it is called inside") {
  play(TransportKind::tcp, [](Scene& scene) {
    Pair pair(scene);
    auto const expected = pair.listener->expect("expected");
    RawPeer forger(scene, pair.listener->endpoint(), "expected/c", "somebody/c");
    CHECK(contains(next_report(scene), "routing id"));
    forger.send({frame_kind});
    Witness(pair).check_unharmed();
    CHECK(!forger.has_received());
  });
}

TEST_CASE("a peer whose link was closed between door and hall is told the end") {
  play(TransportKind::tcp, [](Scene& scene) {
    Pair pair(scene);
    auto expected = pair.listener->expect("expected");
    RawPeer control(scene, pair.listener->endpoint(), "expected/c");
    CHECK(control.receive() == welcome_kind);
    expected.reset();
    CHECK(control.receive() == end_kind);
  });
}

TEST_CASE("a malformed message ends the link of who sent it, and is reported") {
  std::string const lies_about_its_header = frame_kind + std::string("\377\377\377\377", 4);
  std::vector<std::vector<std::string>> const malformed = {
      {""},
      {"\7"},
      {"GET / HTTP/1.1"},
      {"", ""},
      {frame_kind},
      {frame_kind + "\1"},
      {lies_about_its_header},
      {frame_kind, "a second part"},
      {large_frame_kind},
      {large_frame_kind, "payload", "a third part"},
      {std::string(1, '\0'), "", "", "", "", "", "", "many parts"},
      {welcome_kind},
  };
  play(TransportKind::tcp, [&](Scene& scene) {
    Pair pair(scene);
    for (auto const& parts : malformed) {
      CAPTURE(&parts - malformed.data());
      auto const link = pair.listener->expect("rude");
      RawPeer control(scene, pair.listener->endpoint(), "rude/c");
      RawPeer const data(scene, pair.listener->endpoint(), "rude/d");
      link->wait_connected();
      CHECK(control.receive() == welcome_kind);
      control.send(parts);
      CHECK(contains(reason_of(*link), "was cut"));
      CHECK(control.receive() == end_kind);
      CHECK(contains(next_report(scene), "no message of ours"));
      Witness(pair).check_unharmed();
    }
  });
}

TEST_CASE("an empty second greeting is no harm, nor are frames before the greeting") {
  play(TransportKind::tcp, [](Scene& scene) {
    Pair pair(scene);
    auto const link = pair.listener->expect("eager");
    RawPeer control(scene, pair.listener->endpoint(), "eager/c");
    control.send({large_frame_kind + "early", "bird"});
    CHECK(control.receive() == welcome_kind);
    RawPeer data(scene, pair.listener->endpoint(), "eager/d");
    link->wait_connected();
    CHECK(text(link->receive()) == "early|bird");
  });
}

TEST_CASE("garbage, half a greeting and silence are dropped in time, and harm nobody") {
  play_on_each([](Scene& scene) {
    scene.options.handshake_timeout = 200ms;
    Pair pair(scene);
    auto const& endpoint = pair.listener->endpoint();
    for (auto const* bytes : {"GET / HTTP/1.1\r\nHost: here\r\n\r\n", "", "\xff\0\0", "\n"}) {
      RawStream stream(endpoint);
      stream.write(bytes);
      trio::fail_after(10s, [&] { stream.read_to_end(); });
      Witness(pair).check_unharmed();
    }
    RawStream greets(endpoint);
    greets.write(std::string("\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL", 16) + std::string(48, '\0'));
    trio::fail_after(10s, [&] { greets.read_to_end(); });
    CHECK(contains(next_report(scene), "refused a stranger"));
    Witness(pair).check_unharmed();
  });
}

TEST_CASE("many strangers at once harm nobody") {
  play_on_each([](Scene& scene) {
    scene.options.handshake_timeout = 300ms;
    Pair pair(scene);
    std::vector<std::unique_ptr<RawStream>> silent;
    std::vector<std::unique_ptr<Link>> strangers;
    for (int i = 0; i < 50; ++i) {
      silent.push_back(std::make_unique<RawStream>(pair.listener->endpoint()));
      strangers.push_back(
          pair.dialling->connect(pair.listener->endpoint(), "stranger " + std::to_string(i)));
    }
    Witness(pair).check_unharmed();
    for (auto& stranger : strangers) CHECK_THROWS_AS(stranger->wait_connected(), TransportClosed);
    for (auto& stream : silent) trio::fail_after(10s, [&] { stream->read_to_end(); });
    Witness(pair).check_unharmed();
  });
}

TEST_CASE("a peer is admitted while the scheduler is busy") {
  for (auto const kind : {TransportKind::ipc, TransportKind::tcp}) {
    Child child([kind](std::string const& endpoint) {
      play(kind, [&](Scene& scene) {
        scene.options.handshake_timeout = 200ms;
        auto const link = scene.transport()->connect(endpoint, "child");
        link->wait_connected();
        link->send(Lane::data, frame("was", "let in"));
        trio::sleep_forever();
      });
    });
    play(kind, [&](Scene& scene) {
      scene.options.handshake_timeout = 200ms;
      auto const transport = scene.transport();
      auto const listener = transport->listen("here");
      auto const link = listener->expect("child");
      child.tell(listener->endpoint());
      auto const until = std::chrono::steady_clock::now() + 600ms;
      while (std::chrono::steady_clock::now() < until) {}
      link->wait_connected();
      CHECK(text(link->receive()) == "was|let in");
    });
  }
}

TEST_CASE("over tcp, what listens but does not answer is given up in time") {
  play(TransportKind::tcp, [](Scene& scene) {
    scene.options.handshake_timeout = 200ms;
    auto const transport = scene.transport();
    auto const silent = trio::open_tcp_listeners(0, {.host = "127.0.0.1"});
    auto const link = transport->connect("tcp://" + describe(silent.front().local_address()), "me");
    auto const begin = trio::current_time();
    CHECK_THROWS_AS(link->wait_connected(), TransportClosed);
    CHECK(trio::current_time() - begin >= 150ms);
    CHECK(trio::current_time() - begin < 10s);
  });
}

TEST_CASE("on ipc, who does not answer is waited for as long as it listens: it may be busy") {
  play(TransportKind::ipc, [](Scene& scene) {
    scene.options.handshake_timeout = 1ms;
    auto const transport = scene.transport();
    auto silent = std::make_unique<tractor::ipc::UnixListeningSocket>(scene.directory.path(), "it");
    auto const link = transport->connect("ipc://" + silent->path(), "me");
    CHECK(trio::move_on_after(50ms, [&] { link->wait_connected(); }).cut_short);
    silent.reset();
    CHECK_THROWS_WITH_AS(link->wait_connected(),
                         ("tractor: the listener at ipc://" + scene.directory.path() +
                          "/it went, or gave the link up, before it had let this process in")
                             .c_str(),
                         TransportClosed);
  });
}

TEST_CASE("on ipc, what listens but answers garbage is no listener of ours") {
  play(TransportKind::ipc, [](Scene& scene) {
    auto const transport = scene.transport();
    for (std::string const& garbage : {std::string("HTTP/1.1 400 Bad Request\r\n"),
                                       packet({PacketKind::frame, Lane::data, 0, 0}),
                                       packet({PacketKind::greeting, Lane::control, 0, 0})}) {
      auto const path = scene.directory.path() + "/other";
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start(
            trio::serve_unix, [&](trio::SocketStream& stream) { stream.send_all(garbage); }, path);
        auto const link = transport->connect("ipc://" + path, "me");
        CHECK_THROWS_WITH_AS(
            link->wait_connected(),
            ("tractor: what listens at ipc://" + path + " does not talk as we do").c_str(),
            TransportClosed);
        nursery.cancel_scope().cancel();
      });
    }
  });
}

TEST_CASE(
    "on ipc, a listener that goes sends away who has not said who it is, and leaves no task") {
  play(TransportKind::ipc, [](Scene& scene) {
    scene.options.handshake_timeout = 1h;
    auto const transport = scene.transport();
    auto const tasks = [] {
      trio::testing::wait_all_tasks_blocked();
      return trio::lowlevel::current_statistics().tasks_living;
    };
    auto const before = tasks();
    auto listener = transport->listen("here");
    RawStream silent(listener->endpoint());
    CHECK(tasks() > before);
    listener.reset();
    CHECK(trio::fail_after(10s, [&] { return silent.read_to_end(); }).empty());
    transport->listen("there").reset();
    CHECK(tasks() == before);
  });
}

TEST_CASE("on ipc, a greeting that comes as the listener goes lets nobody in") {
  play(TransportKind::ipc, [](Scene& scene) {
    auto const transport = scene.transport();
    auto listener = transport->listen("here");
    auto const link = listener->expect("late");
    RawStream peer(listener->endpoint());
    trio::testing::wait_all_tasks_blocked();
    peer.write(greeting("late"));
    listener.reset();
    CHECK(trio::fail_after(10s, [&] { return peer.read_to_end(); }).empty());
    CHECK(reason_of(*link) == "tractor: the listener of this link was closed");
  });
}

TEST_CASE("on ipc, who only asks whether there is a listener, or gives up, is no stranger") {
  play(TransportKind::ipc, [](Scene& scene) {
    Pair pair(scene);
    for (std::string const& said :
         {std::string(), packet({PacketKind::end, Lane::control, 0, 0})}) {
      CAPTURE(said.size());
      RawStream probe(pair.listener->endpoint());
      trio::testing::wait_all_tasks_blocked();
      probe.write(said);
      probe.hang_up();
      CHECK(trio::fail_after(10s, [&] { return probe.read_to_end(); }).empty());
    }
    CHECK(scene.reports.empty());
    Witness(pair).check_unharmed();
  });
}

TEST_CASE("on ipc, a listener that gives a link up before it has begun is no stranger either") {
  play(TransportKind::ipc, [](Scene& scene) {
    auto const transport = scene.transport();
    auto const path = scene.directory.path() + "/other";
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start(
          trio::serve_unix,
          [](trio::SocketStream& stream) {
            stream.send_all(packet({PacketKind::end, Lane::control, 0, 0}));
          },
          path);
      CHECK(contains(reason_of(*transport->connect("ipc://" + path, "me")), "gave the link up"));
      nursery.cancel_scope().cancel();
    });
    CHECK(scene.reports.empty());
  });
}

TEST_CASE("on ipc, a greeting that will be too long is refused before it is there") {
  play(TransportKind::ipc, [](Scene& scene) {
    scene.options.handshake_timeout = 1h;
    Pair pair(scene);
    RawStream stranger(pair.listener->endpoint());
    stranger.write(packet({PacketKind::greeting, Lane::control, 5'000, 0}));
    CHECK((trio::fail_after(10s, [&] { return stranger.read_to_end(); }) ==
           packet({PacketKind::refusal, Lane::control, 0, 0})));
  });
}

TEST_CASE("on ipc, a greeting that is none of ours is refused") {
  auto const hello = greeting("expected");
  auto const other_version = std::string(hello).replace(hello.find(" 1 "), 3, " 2 ");
  auto const no_greeting =
      packet({PacketKind::frame, Lane::control,
              static_cast<std::uint32_t>(hello.size() - tractor::ipc::packet_head_size), 0},
             hello.substr(tractor::ipc::packet_head_size));
  play(TransportKind::ipc, [&](Scene& scene) {
    Pair pair(scene);
    auto const expected = pair.listener->expect("expected");
    for (std::string const& bytes :
         {other_version, no_greeting, greeting("expecte"), greeting(""),
          greeting(std::string(5000, 'x')), packet({PacketKind::greeting, Lane::control, 0, 0}),
          packet({PacketKind::frame, Lane::control, 0, 0}),
          packet({PacketKind::large_frame, Lane::control, 0, 1'000'000})}) {
      CAPTURE(bytes.size());
      RawStream stranger(pair.listener->endpoint());
      stranger.write(bytes);
      CHECK((stranger.read_to_end() == packet({PacketKind::refusal, Lane::control, 0, 0})));
      CHECK(contains(next_report(scene), "refused a stranger"));
    }
    Witness(pair).check_unharmed();
    auto const dialled = pair.dialling->connect(pair.listener->endpoint(), "expected");
    dialled->wait_connected();
  });
}

TEST_CASE("on ipc, a greeting may come in pieces, and bring along what follows it") {
  play(TransportKind::ipc, [](Scene& scene) {
    Pair pair(scene);
    auto const link = pair.listener->expect("eager");
    RawStream eager(pair.listener->endpoint());
    auto const hello = greeting("eager");
    eager.write(hello.substr(0, 10));
    trio::testing::wait_all_tasks_blocked();
    eager.write(hello.substr(10) + packet({PacketKind::frame, Lane::data, 5, 4}, "earlybird") +
                packet({PacketKind::frame, Lane::control, 3, 4}, "andm"));
    CHECK(text(link->receive()) == "early|bird");
    eager.write("ore!");
    CHECK(text(link->receive()) == "and|more");
  });
}

TEST_CASE("on ipc, a peer that breaks the rules loses its link, and nobody else does") {
  std::vector<std::string> const rude = {
      "GET / HTTP/1.1\r\n",
      greeting("rude"),
      packet({PacketKind::welcome, Lane::control, 0, 0}),
      packet({PacketKind::refusal, Lane::control, 0, 0}),
      packet({PacketKind::chunk, Lane::data, 0, 1}, "x"),
      packet({PacketKind::frame, Lane::data, 0, 1'000'000}),
      packet({PacketKind::large_frame, Lane::data, 0, ~std::uint64_t(0)}),
      packet({PacketKind::large_frame, Lane::data, 0, 2}) +
          packet({PacketKind::end, Lane::control, 0, 0}),
  };
  play(TransportKind::ipc, [&](Scene& scene) {
    Pair pair(scene);
    for (auto const& bytes : rude) {
      CAPTURE(&bytes - rude.data());
      auto const link = pair.listener->expect("rude");
      RawStream peer(pair.listener->endpoint());
      peer.write(greeting("rude") + packet({PacketKind::frame, Lane::data, 3, 0}, "yes") + bytes);
      CHECK(text(link->receive()) == "yes|");
      CHECK(contains(reason_of(*link), "was cut"));
      CHECK((peer.read_to_end() == packet({PacketKind::welcome, Lane::control, 0, 0}) +
                                       packet({PacketKind::end, Lane::control, 0, 0})));
      CHECK(contains(next_report(scene), "no message of ours"));
      Witness(pair).check_unharmed();
    }
  });
}

TEST_CASE("on ipc, a peer that claims more than there is memory for loses its link") {
  // Which ends the program instead.
  if (support::sanitized || support::under_tsan) return;
  play(TransportKind::ipc, [](Scene& scene) {
    scene.options.max_message_size = std::int64_t(1) << 62;
    Pair pair(scene);
    auto const link = pair.listener->expect("greedy");
    RawStream peer(pair.listener->endpoint());
    peer.write(greeting("greedy") + packet({PacketKind::frame, Lane::data, 3, 0}, "yes") +
               packet({PacketKind::large_frame, Lane::data, 0, std::uint64_t(1) << 60}));
    CHECK(text(link->receive()) == "yes|");
    CHECK(contains(reason_of(*link), "no memory is left"));
    Witness(pair).check_unharmed();
  });
}

TEST_CASE("on ipc, a process of another user is refused though it knows the identity") {
  if (geteuid() != 0) {
    MESSAGE("SKIP: needs root to become another user");
    return;
  }
  Child other_user([](std::string const& endpoint) {
    auto const room = std::filesystem::temp_directory_path();
    if (chown(room.c_str(), 65534, 65534) != 0 || setuid(65534) != 0) return;
    dial(TransportKind::ipc, endpoint, "expected", [](Transport&, Link& link) {
      link.send(Lane::data, frame("was", "let in"));
      trio::sleep_forever();
    });
  });
  play(TransportKind::ipc, [&](Scene& scene) {
    Pair pair(scene);
    auto const link = pair.listener->expect("expected");
    // As if the directory did not keep it out.
    chmod(scene.directory.path().c_str(), 0755);
    chmod((scene.directory.path() + "/here").c_str(), 0777);
    other_user.tell(pair.listener->endpoint());
    CHECK(contains(next_report(scene), "refused a stranger"));
    auto const ours = pair.dialling->connect(pair.listener->endpoint(), "expected");
    ours->wait_connected();
    Witness(pair).check_unharmed();
  });
}
