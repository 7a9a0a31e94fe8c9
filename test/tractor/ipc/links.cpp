// SPDX-License-Identifier: BSL-1.0
// What a link carries while both its ends live.
#include "raw_peer.hpp"
#include "support.hpp"

#include <trio/testing.hpp>

#include <cstring>
#include <fstream>
#include <string>
#include <utility>

#include <sys/resource.h>
#include <unistd.h>

using namespace ipc_test;

namespace {

std::string numbered(int number) { return std::to_string(number); }

#if defined(__SANITIZE_THREAD__)
constexpr bool has_shadow_memory = true;
#elif defined(__has_feature)
constexpr bool has_shadow_memory = __has_feature(thread_sanitizer);
#else
constexpr bool has_shadow_memory = false;
#endif

// Lets peak_memory() begin anew.
void forget_peak_memory() { std::ofstream("/proc/self/clear_refs") << 5; }

// Kibibytes.
long peak_memory() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

}  // namespace

TEST_CASE("frames of any shape arrive as they were sent, both ways, on both lanes") {
  play_on_each([](Scene& scene) {
    Pair pair(scene);
    // Around what ZeroMQ holds inline, what we merge, and what is a part of its own.
    for (std::size_t const size : {0, 1, 20, 33, 255, 256, 4096, 4097, 10'000, 1'000'000}) {
      for (auto const lane : {Lane::control, Lane::data}) {
        std::string const payload(size, 'p');
        pair.dialled->send(lane, frame("a header", payload));
        CHECK(text(pair.accepted->receive()) == "a header|" + payload);
        pair.accepted->send(lane, frame("", payload));
        CHECK(text(pair.dialled->receive()) == "|" + payload);
      }
    }
  });
}

TEST_CASE("both ends know whom the kernel says they are connected to, on ipc") {
  play(TransportKind::ipc, [](Scene& scene) {
    Pair pair(scene);
    for (Link const* end : {pair.accepted.get(), pair.dialled.get()}) {
      auto const credentials = end->credentials();
      REQUIRE(credentials);
      CHECK(credentials->uid == geteuid());
      CHECK(credentials->pid == getpid());
    }
  });
  play(TransportKind::tcp, [](Scene& scene) { CHECK(!Pair(scene).accepted->credentials()); });
}

TEST_CASE("each lane keeps its order, both ways at once") {
  constexpr int count = 100'000;
  play_on_each([](Scene& scene) {
    Pair pair(scene);
    auto const send_all = [](Link& link) {
      for (int i = 0; i < count; ++i) {
        link.send(Lane::data, frame("data", numbered(i)));
        link.send(Lane::control, frame("control", numbered(i)));
        if (i % 100 == 0) trio::lowlevel::checkpoint();
      }
    };
    auto const receive_all = [](Link& link) {
      int data = 0;
      int control = 0;
      while (data < count || control < count) {
        Frame const received = link.receive();
        int& next = text(received.header) == "data" ? data : control;
        if (text(received.payload) != numbered(next)) {
          CHECK(text(received.payload) == numbered(next));
          return;
        }
        ++next;
      }
    };
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (Link* end : {pair.accepted.get(), pair.dialled.get()}) {
        nursery.start_soon(send_all, std::ref(*end));
        nursery.start_soon(receive_all, std::ref(*end));
      }
    });
  });
}

TEST_CASE("on ipc, the first few frames leave at once, those after them together") {
  play(TransportKind::ipc, [](Scene& scene) {
    auto const transport = scene.transport();
    auto const listener = transport->listen("here");
    auto const link = listener->expect("reader");
    RawStream reader(listener->endpoint());
    reader.write(greeting("reader"));
    link->wait_connected();
    trio::testing::wait_all_tasks_blocked();
    (void)reader.read_some();
    for (int round = 0; round < 3; ++round) {
      for (int sent = 1; sent <= 10; ++sent) {
        link->send(Lane::data, frame("each", ""));
        CHECK(reader.read_some().empty() == (sent > 4));
      }
      trio::testing::wait_all_tasks_blocked();
      CHECK(reader.read_some().size() == 6 * (tractor::ipc::packet_head_size + 4));
    }
    // What is large, or is much, is not held back either.
    for (int sent = 1; sent <= 4; ++sent) link->send(Lane::data, frame("each", ""));
    link->send(Lane::data, frame("large", std::string(10'000, 'x')));
    CHECK(reader.read_some().size() > 10'000);
    for (int sent = 1; sent <= 1'000; ++sent)
      link->send(Lane::data, frame("each", std::string(100, 'x')));
    CHECK(reader.read_some().size() > 60'000);
  });
}

TEST_CASE("several links of one listener do not mix") {
  play_on_each([](Scene& scene) {
    auto const transport = scene.transport();
    auto const listener = transport->listen("here");
    std::vector<std::unique_ptr<Link>> accepted;
    std::vector<std::unique_ptr<Link>> dialled;
    constexpr std::size_t count = 20;
    for (std::size_t i = 0; i < count; ++i) {
      auto const identity = "somebody " + std::to_string(i);
      accepted.push_back(listener->expect(identity));
      dialled.push_back(transport->connect(listener->endpoint(), identity));
    }
    for (auto& link : dialled) link->wait_connected();
    for (std::size_t i = 0; i < count; ++i) {
      accepted[i]->wait_connected();
      dialled[i]->send(Lane::data, frame("from", std::to_string(i)));
      accepted[i]->send(Lane::control, frame("to", std::to_string(i)));
    }
    for (std::size_t i = 0; i < count; ++i) {
      CHECK(text(accepted[i]->receive()) == "from|" + std::to_string(i));
      CHECK(text(dialled[i]->receive()) == "to|" + std::to_string(i));
    }
  });
}

TEST_CASE("the control lane overtakes bulk data") {
  play_on_each([](Scene& scene) {
    Pair pair(scene);
    constexpr int bulk = 300;
    auto const overtakes = [](Link& from, Link& to) {
      for (int i = 0; i < bulk; ++i) from.send(Lane::data, {buffer("data"), Buffer(1'000'000)});
      from.send(Lane::control, frame("control", ""));
      int before = 0;
      while (text(to.receive().header) != "control") ++before;
      CHECK(before < bulk / 2);
      for (int rest = before; rest < bulk; ++rest) CHECK(text(to.receive().header) == "data");
    };
    overtakes(*pair.dialled, *pair.accepted);
    overtakes(*pair.accepted, *pair.dialled);
  });
}

TEST_CASE("a large payload is not copied: sender and receiver hold one region each") {
  play_on_each([](Scene& scene) {
    Pair pair(scene);
    constexpr std::size_t size = 200'000'000;
    auto const carry = [&](Link& from, Link& to) {
      Buffer payload(size);
      std::memset(payload.data(), 'x', size);
      forget_peak_memory();
      long const before = peak_memory();
      from.send(Lane::data, {buffer("large"), std::move(payload)});
      Frame const received = to.receive();
      CHECK(received.payload.size() == size);
      CHECK(received.payload.data()[size - 1] == std::byte('x'));
      if (!has_shadow_memory)
        CHECK((peak_memory() - before) * 1024 < static_cast<long>(size + size / 4));
    };
    carry(*pair.dialled, *pair.accepted);
    carry(*pair.accepted, *pair.dialled);
  });
}

TEST_CASE("a busy link does not starve other tasks") {
  play_on_each([](Scene& scene) {
    Pair pair(scene);
    constexpr int count = 20'000;
    for (int i = 0; i < count; ++i) pair.dialled->send(Lane::data, frame("", ""));
    pair.dialled->send(Lane::data, frame("last", ""));
    int turns = 0;
    bool done = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        while (!done) {
          ++turns;
          trio::lowlevel::checkpoint();
        }
      });
      while (pair.accepted->receive().header.empty()) {}
      done = true;
    });
    CHECK(turns > count / 100);
  });
}

TEST_CASE("receive() is cancellable and loses nothing by it") {
  play_on_each([](Scene& scene) {
    Pair pair(scene);
    CHECK(trio::move_on_after(0s, [&] { return pair.accepted->receive(); }).cut_short);
    CHECK(trio::move_on_after(1ms, [&] { return pair.accepted->receive(); }).cut_short);
    pair.dialled->send(Lane::data, frame("still", "here"));
    CHECK(text(pair.accepted->receive()) == "still|here");
  });
}

TEST_CASE("one task at a time receives") {
  play(TransportKind::ipc, [](Scene& scene) {
    Pair pair(scene);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { CHECK(text(pair.accepted->receive()) == "the|first"); });
      trio::testing::wait_all_tasks_blocked();
      CHECK_THROWS_AS((void)pair.accepted->receive(), trio::BusyResourceError);
      pair.dialled->send(Lane::data, frame("the", "first"));
    });
  });
}

TEST_CASE("checkpoints are where they are promised") {
  play(TransportKind::ipc, [](Scene& scene) {
    Pair pair(scene);
    using trio::testing::assert_checkpoints;
    using trio::testing::assert_no_checkpoints;
    assert_no_checkpoints([&] { pair.dialled->send(Lane::data, frame("a", "b")); });
    assert_checkpoints([&] { (void)pair.accepted->receive(); });
    assert_checkpoints([&] { pair.accepted->wait_connected(); });
    assert_checkpoints([&] { pair.dialled->wait_connected(); });
    std::unique_ptr<Link> link;
    assert_no_checkpoints([&] { link = pair.listener->expect("another"); });
    assert_no_checkpoints(
        [&] { link = pair.dialling->connect(pair.listener->endpoint(), "another"); });
    assert_no_checkpoints([&] { pair.dialled->close(0s); });
  });
}
