// SPDX-License-Identifier: BSL-1.0
// What the kernel, or a lack of memory, refuses to a link ends that link, with a sentence, and
// nothing else.
#include "../../child_process.hpp"
#include "../../no_more_descriptors.hpp"
#include "../../refused_calls.hpp"
#include "../wire/counted_new.hpp"
#include "raw_peer.hpp"
#include "support.hpp"

#include <trio/testing.hpp>

#include <cstdio>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

using namespace ipc_test;

namespace {

constexpr auto came_to_its_end = "the hidden case came to its end";

// What a hidden case does: check_passed() sees that it was there, and came to its end.
void play_hidden(std::function<void(Scene&)> const& act) {
  play(TransportKind::ipc, act);
  std::fprintf(stderr, "%s\n", came_to_its_end);
}

void check_passed(std::string const& hidden_case) {
  auto const ending = run_hidden_case(hidden_case);
  INFO(ending.errors);
  CHECK(ending.signal == 0);
  CHECK(ending.exit_code == 0);
  CHECK(ending.says(came_to_its_end));
}

}  // namespace

TEST_CASE("hidden: writing is refused" * doctest::skip()) {
  play_hidden([](Scene& scene) {
    Pair small(scene);
    Pair large(scene, "there");
    large.dialled->send(Lane::data, {buffer("much"), Buffer(100'000'000)});
    trio::lowlevel::checkpoint();
    refuse_calls(SYS_sendmsg, ENOBUFS);
    small.dialled->send(Lane::data, frame("no", "room"));
    for (Pair* pair : {&small, &large}) {
      CHECK(contains(reason_of(*pair->dialled), "has failed: sendmsg: No buffer space"));
      CHECK_THROWS_AS(pair->dialled->send(Lane::data, frame("no", "more")), TransportClosed);
      CHECK(contains(reason_of(*pair->accepted), "gave the link up"));
    }
  });
}

TEST_CASE("on ipc, a link that the kernel does not let write is over at both ends") {
  check_passed("hidden: writing is refused");
}

TEST_CASE("hidden: reading is refused" * doctest::skip()) {
  play_hidden([](Scene& scene) {
    Pair pair(scene);
    refuse_calls(SYS_readv, ENOMEM);
    pair.accepted->send(Lane::data, frame("un", "read"));
    CHECK(contains(reason_of(*pair.dialled), "has failed: readv: Cannot allocate memory"));
    // It would be told the end, and cannot read that either.
    CHECK(contains(reason_of(*pair.accepted), "has failed: readv: Cannot allocate memory"));
  });
}

TEST_CASE("on ipc, a link that the kernel does not let read is over") {
  check_passed("hidden: reading is refused");
}

TEST_CASE("hidden: waiting is refused" * doctest::skip()) {
  play_hidden([](Scene& scene) {
    Pair pair(scene);
    auto const expected = pair.listener->expect("somebody else");
    trio::testing::wait_all_tasks_blocked();
    refuse_calls(SYS_epoll_ctl, ENOSPC);
    auto const dialled = pair.dialling->connect(pair.listener->endpoint(), "somebody else");
    CHECK(contains(reason_of(*dialled), "has failed"));
    CHECK(contains(reason_of(*dialled), "No space left"));
    while (!contains(next_report(scene), "nobody can be let in any more")) {}
    CHECK(contains(reason_of(*expected), "can let nobody in any more"));
    CHECK(contains(reason_of(*pair.listener->expect("a third")), "can let nobody in any more"));
    // Whoever is in, is: until it has to wait itself.
    pair.dialled->send(Lane::data, frame("still", "there"));
    CHECK(text(pair.accepted->receive()) == "still|there");
    CHECK(contains(reason_of(*pair.accepted), "No space left"));
    CHECK(reason_of(*pair.dialled) == "tractor: the other end closed the link");
  });
}

TEST_CASE("on ipc, a door that the kernel does not let wait lets nobody in, and keeps who is in") {
  check_passed("hidden: waiting is refused");
}

TEST_CASE("hidden: credentials are refused" * doctest::skip()) {
  play_hidden([](Scene& scene) {
    Pair pair(scene);
    auto const expected = pair.listener->expect("unknown");
    refuse_calls(SYS_getsockopt, ENOPROTOOPT, SO_PEERCRED);
    RawStream peer(pair.listener->endpoint());
    peer.write(greeting("unknown"));
    CHECK((peer.read_to_end() == packet({tractor::ipc::PacketKind::refusal, Lane::control, 0, 0})));
    CHECK(contains(next_report(scene), "not known to be this user's"));
  });
}

TEST_CASE("on ipc, whom the kernel does not vouch for is not let in") {
  check_passed("hidden: credentials are refused");
}

TEST_CASE("on ipc, a door waits for a descriptor to be free, and lets in then") {
  play(TransportKind::ipc, [](Scene& scene) {
    Pair pair(scene);
    auto const link = pair.listener->expect("late");
    RawStream peer(pair.listener->endpoint());
    peer.write(greeting("late"));
    {
      NoMoreDescriptors const none;
      CHECK(trio::move_on_after(20ms, [&] { link->wait_connected(); }).cut_short);
      pair.dialled->send(Lane::data, frame("still", "there"));
      CHECK(text(pair.accepted->receive()) == "still|there");
    }
    link->wait_connected();
  });
}

namespace {

// The whole life of a link beside another one, in which this allocation fails. False: there are not
// as many.
bool live_in_short_memory(std::size_t failing) {
  bool failed = false;
  play(TransportKind::ipc, [&](Scene& scene) {
    Pair pair(scene);
    std::unique_ptr<Link> dialled;
    std::unique_ptr<Link> accepted;
    Frame small = frame("small", "");
    Frame large = {buffer("large"), Buffer(3'000'000)};
    Frame received_small;
    Frame received_large;
    std::string const identity = "somebody else";
    trio::testing::wait_all_tasks_blocked();
    {
      CountedNew const counted(failing);
      try {
        accepted = pair.listener->expect(identity);
        dialled = pair.dialling->connect(pair.listener->endpoint(), identity);
        dialled->wait_connected();
        accepted->wait_connected();
        dialled->send(Lane::data, std::move(small));
        received_small = accepted->receive();
        accepted->send(Lane::data, std::move(large));
        received_large = dialled->receive();
      } catch (TransportClosed const&) {
      } catch (std::bad_alloc const&) {}
      dialled.reset();
      accepted.reset();
      failed = counted.has_failed();
    }
    CHECK((received_small.header.empty() || text(received_small) == "small|"));
    CHECK((received_large.header.empty() || received_large.payload.size() == 3'000'000));
    CHECK((failed || !received_large.header.empty()));
    // Nobody else has noticed.
    pair.dialled->send(Lane::data, frame("still", "there"));
    CHECK(text(pair.accepted->receive()) == "still|there");
  });
  return failed;
}

// What two do who are connected, where no allocation succeeds from this one on. False: there are
// not as many.
bool talk_without_memory(std::size_t first_failing) {
  bool failed = false;
  play(TransportKind::ipc, [&](Scene& scene) {
    Pair pair(scene);
    Frame sent = {buffer("large"), Buffer(200'000)};
    Frame received;
    // More than leave at once.
    std::vector<Frame> small;
    for (int i = 0; i < 10; ++i) small.push_back(frame("small", ""));
    bool over = false;
    trio::testing::wait_all_tasks_blocked();
    {
      CountedNew const counted(first_failing, 1'000'000);
      try {
        pair.dialled->send(Lane::data, std::move(sent));
        received = pair.accepted->receive();
        for (auto& each : small) pair.dialled->send(Lane::data, std::move(each));
        for (int i = 0; i < 10; ++i) (void)pair.accepted->receive();
        pair.dialled.reset();
        (void)pair.accepted->receive();
      } catch (TransportClosed const&) {
        over = true;
      } catch (std::bad_alloc const&) {}
      pair.dialled.reset();
      pair.accepted.reset();
      failed = counted.has_failed();
    }
    CHECK((received.header.empty() || received.payload.size() == 200'000));
    CHECK((failed || over));
  });
  return failed;
}

}  // namespace

TEST_CASE("on ipc, where memory is short nothing wrong is received, and nobody waits for ever") {
  std::size_t failing = 1;
  int without_a_stack = 0;
  for (bool failed = true; failed; ++failing) {
    CAPTURE(failing);
    try {
      failed = live_in_short_memory(failing);
    } catch (trio::ExceptionGroup const& group) {
      // Of the four tasks that it starts, one that gets no stack ends its nursery.
      ++without_a_stack;
      CHECK(contains(group.what(), "std::bad_alloc"));
    }
  }
  CHECK(failing > 20);
  CHECK(without_a_stack <= 8);
}

TEST_CASE("on ipc, two who are connected can end their link without any memory") {
  std::size_t first_failing = 1;
  while (talk_without_memory(first_failing)) ++first_failing;
  CHECK(first_failing > 3);
}
