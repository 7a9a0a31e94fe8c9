// SPDX-License-Identifier: BSL-1.0
// What the kernel refuses to a link ends that link, with a sentence, and nothing else.
#include "../../child_process.hpp"
#include "../../no_more_descriptors.hpp"
#include "../../refused_calls.hpp"
#include "../wire/counted_new.hpp"
#include "raw_peer.hpp"
#include "support.hpp"

#include <trio/testing.hpp>

#include <string>

#include <sys/resource.h>

using namespace ipc_test;

namespace {

void check_passed(std::string const& hidden_case) {
  auto const ending = run_hidden_case(hidden_case);
  INFO(ending.errors);
  CHECK(ending.signal == 0);
  CHECK(ending.exit_code == 0);
}

}  // namespace

TEST_CASE("hidden: writing is refused" * doctest::skip()) {
  play(TransportKind::ipc, [](Scene& scene) {
    Pair small(scene);
    Pair large(scene, "there");
    large.dialled->send(Lane::data, {buffer("much"), Buffer(100'000'000)});
    trio::lowlevel::checkpoint();
    refuse_calls(SYS_sendmsg, ENOBUFS);
    small.dialled->send(Lane::data, frame("no", "room"));
    for (Pair* pair : {&small, &large}) {
      CHECK(contains(reason_of(*pair->dialled), "tractor: cannot write to ipc://"));
      CHECK(contains(reason_of(*pair->dialled), "No buffer space"));
      CHECK_THROWS_AS(pair->dialled->send(Lane::data, frame("no", "more")), TransportClosed);
      CHECK(contains(reason_of(*pair->accepted), "gave the link up"));
    }
  });
}

TEST_CASE("on ipc, a link that the kernel does not let write is over at both ends") {
  check_passed("hidden: writing is refused");
}

TEST_CASE("hidden: waiting is refused" * doctest::skip()) {
  play(TransportKind::ipc, [](Scene& scene) {
    Pair pair(scene);
    auto const expected = pair.listener->expect("somebody else");
    trio::testing::wait_all_tasks_blocked();
    refuse_calls(SYS_epoll_ctl, ENOSPC);
    auto const dialled = pair.dialling->connect(pair.listener->endpoint(), "somebody else");
    CHECK(contains(reason_of(*dialled), "tractor: cannot read from ipc://"));
    CHECK(contains(reason_of(*dialled), "No space left"));
    while (!contains(next_report(scene), "nobody can be let in any more")) {}
    CHECK(contains(reason_of(*expected), "nobody can be let in any more"));
    CHECK(contains(reason_of(*pair.accepted), "nobody can be let in any more"));
    CHECK(contains(reason_of(*pair.listener->expect("a third")), "nobody can be let in any more"));
    CHECK(reason_of(*pair.dialled) == "tractor: the other end closed the link");
  });
}

TEST_CASE("on ipc, a door that the kernel does not let wait closes, and its process lives on") {
  check_passed("hidden: waiting is refused");
}

TEST_CASE("hidden: reading is refused" * doctest::skip()) {
  play(TransportKind::ipc, [](Scene& scene) {
    Pair pair(scene);
    Pair writes(scene, "there");
    writes.dialled->send(Lane::data, {buffer("much"), Buffer(100'000'000)});
    trio::lowlevel::checkpoint();
    refuse_calls(SYS_readv, ENOMEM);
    pair.accepted->send(Lane::data, frame("un", "read"));
    CHECK(contains(reason_of(*pair.dialled), "tractor: cannot read from ipc://"));
    CHECK(contains(reason_of(*pair.dialled), "Cannot allocate memory"));
  });
}

TEST_CASE("on ipc, a link that the kernel does not let read is over") {
  check_passed("hidden: reading is refused");
}

TEST_CASE("on ipc, a door waits for a descriptor to be free, and lets in then") {
  play(TransportKind::ipc, [](Scene& scene) {
    Pair pair(scene);
    auto const link = pair.listener->expect("late");
    RawStream peer(pair.listener->endpoint());
    peer.write(greeting("late"));
    {
      NoMoreDescriptors const none;
      trio::testing::wait_all_tasks_blocked();
      pair.dialled->send(Lane::data, frame("still", "there"));
      CHECK(text(pair.accepted->receive()) == "still|there");
    }
    link->wait_connected();
  });
}

namespace {

// What two do who are connected, where the allocation of this number fails. False: there are not
// as many.
bool talk_with_one_failure(std::size_t failing) {
  bool failed = true;
  play(TransportKind::ipc, [&](Scene& scene) {
    Pair pair(scene);
    Frame small = frame("small", "");
    Frame large = {buffer("large"), Buffer(3'000'000)};
    Frame received_small;
    Frame received_large;
    trio::testing::wait_all_tasks_blocked();
    {
      CountedNew const counted(failing);
      try {
        pair.dialled->send(Lane::data, std::move(small));
        received_small = pair.accepted->receive();
        pair.accepted->send(Lane::data, std::move(large));
        received_large = pair.dialled->receive();
        pair.dialled->close(0s);
        (void)pair.accepted->receive();
      } catch (TransportClosed const&) {
      } catch (std::bad_alloc const&) {}
      failed = counted.has_failed();
    }
    CHECK((received_small.header.empty() || text(received_small) == "small|"));
    CHECK((received_large.header.empty() || received_large.payload.size() == 3'000'000));
    CHECK((failed || !received_large.header.empty()));
  });
  return failed;
}

}  // namespace

TEST_CASE("on ipc, where memory is short nothing wrong is received, and nobody waits for ever") {
  std::size_t failing = 1;
  for (bool failed = true; failed; ++failing) {
    CAPTURE(failing);
    try {
      failed = talk_with_one_failure(failing);
    } catch (trio::ExceptionGroup const& group) {
      // A task that gets no stack ends its nursery.
      CHECK(contains(group.what(), "std::bad_alloc"));
    }
  }
  CHECK(failing > 5);
}
