// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <trio/testing.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using support::group_thrown_by;
using support::in_root;

namespace {

struct AssertionError : std::runtime_error {
  AssertionError() : std::runtime_error("assert 0") {}
};

void fail_at_once() { throw AssertionError(); }

void fail_after_a_moment() {
  trio::sleep(20ms);
  throw AssertionError();
}

void forever() { trio::sleep_forever(); }

// Whether every leaf of the group is an AssertionError thrown in another actor.
bool all_are_assertion_errors(trio::BaseExceptionGroup const& group) {
  for (auto const& leaf : group.leaves()) {
    auto const* error = trio::exception_cast<tractor::RemoteActorError>(leaf);
    if (!error || error->type_name() != "(anonymous namespace)::AssertionError") return false;
  }
  return true;
}

}  // namespace

TEST_CASE("B1: an error in a one-shot comes out of result() and of the block, once") {
  auto const group = group_thrown_by([] {
    in_root([] {
      tractor::open_nursery([](tractor::ActorNursery& nursery) {
        auto portal = nursery.run_in_actor<fail_at_once>({.name = "errorer"});
        try {
          portal.result();
          FAIL("no error");
        } catch (tractor::RemoteActorError const& error) {
          CHECK(error.type_name() == "(anonymous namespace)::AssertionError");
          CHECK(error.message() == "assert 0");
          CHECK(error.source().name == "errorer");
          CHECK(error.source() == portal.actor());
          CHECK(error.relay_path() == std::vector{portal.actor()});
          throw;
        }
      });
    });
  });
  CHECK(group.exceptions().size() == 1);
  CHECK(all_are_assertion_errors(group));
}

TEST_CASE("B1: an error in a one-shot comes out of the block if nobody asks for the result") {
  auto const group = group_thrown_by([] {
    in_root([] {
      tractor::open_nursery(
          [](tractor::ActorNursery& nursery) { nursery.run_in_actor<fail_at_once>(); });
    });
  });
  CHECK(group.exceptions().size() == 1);
  CHECK(all_are_assertion_errors(group));
}

TEST_CASE("B2: two failing one-shots: the first is met in result(), the block throws a group") {
  auto const group = group_thrown_by([] {
    in_root([] {
      tractor::open_nursery([](tractor::ActorNursery& nursery) {
        auto one = nursery.run_in_actor<fail_at_once>();
        auto two = nursery.run_in_actor<fail_at_once>();
        // Whichever fails first ends the other, which may not have come to fail yet.
        CHECK_THROWS_AS(trio::shielded([&] { one.result(); }), std::runtime_error);
        CHECK_THROWS_AS(trio::shielded([&] { two.result(); }), std::runtime_error);
      });
    });
  });
  CHECK(group.exceptions().size() >= 1);
  CHECK(all_are_assertion_errors(group));
}

TEST_CASE("B3: 25 one-shots that fail while others still start: all that arrived, no hang") {
  for (bool at_once : {true, false}) {
    CAPTURE(at_once);
    auto const group = group_thrown_by([&] {
      in_root([&] {
        tractor::open_nursery([&](tractor::ActorNursery& nursery) {
          for (int i = 0; i < 25; ++i) {
            if (at_once)
              nursery.run_in_actor<fail_at_once>();
            else
              nursery.run_in_actor<fail_after_a_moment>();
          }
        });
      });
    });
    CHECK(group.exceptions().size() >= 1);
    CHECK(group.exceptions().size() <= 25);
    CHECK(all_are_assertion_errors(group));
  }
}

TEST_CASE("B3: errors that had arrived before the first cancelled the others are all kept") {
  auto const group = group_thrown_by([] {
    in_root([] {
      tractor::open_nursery([](tractor::ActorNursery& nursery) {
        trio::shielded([&] {
          std::vector<tractor::ResultPortal<void>> portals;
          for (int i = 0; i < 4; ++i) portals.push_back(nursery.run_in_actor<fail_at_once>());
          // Each is waited for although the first error has cancelled the nursery.
          for (auto& portal : portals) CHECK_THROWS(portal.result());
        });
      });
    });
  });
  CHECK(all_are_assertion_errors(group));
}

TEST_CASE("B13: a failing one-shot interrupts the body at once, as in a trio nursery") {
  bool interrupted = false;
  auto const group = group_thrown_by([&] {
    in_root([&] {
      tractor::open_nursery([&](tractor::ActorNursery& nursery) {
        nursery.run_in_actor<fail_at_once>();
        try {
          trio::sleep_forever();
        } catch (trio::Cancelled const& cancelled) {
          interrupted = true;
          CHECK(cancelled.reason().source == trio::CancelSource::nursery);
          CHECK(cancelled.reason().source_task == "actor fail_at_once");
          throw;
        }
      });
    });
  });
  CHECK(interrupted);
  CHECK(group.exceptions().size() == 1);
  CHECK(all_are_assertion_errors(group));
}

TEST_CASE("a child's error cancels its siblings, which is no error of theirs") {
  auto const group = group_thrown_by([] {
    in_root([] {
      tractor::open_nursery([](tractor::ActorNursery& nursery) {
        for (int i = 0; i < 3; ++i) nursery.run_in_actor<forever>();
        nursery.start_actor("daemon", tractor::expose<forever>);
        nursery.run_in_actor<fail_at_once>();
      });
    });
  });
  CHECK(group.exceptions().size() == 1);
  CHECK(all_are_assertion_errors(group));
}

TEST_CASE("an error of the body ends the actors and comes out as it was") {
  auto const group = group_thrown_by([] {
    in_root([] {
      tractor::open_nursery([](tractor::ActorNursery& nursery) {
        nursery.run_in_actor<forever>();
        nursery.start_actor("daemon", tractor::expose<forever>);
        throw std::domain_error("body");
      });
    });
  });
  CHECK(group.exceptions().size() == 1);
  CHECK(group.find<std::domain_error>());
}

TEST_CASE("an error met in a call of a daemon is the caller's: caught, the daemon serves on") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto daemon = nursery.start_actor("daemon", tractor::expose<fail_at_once>);
      for (int i = 0; i < 3; ++i)
        CHECK_THROWS_AS(daemon.run<fail_at_once>(), tractor::RemoteActorError);
      CHECK(daemon.open_calls() == 0);
      daemon.cancel_actor();
    });
  });
}

namespace {

void throw_an_int() { throw 42; }

void throw_a_group() {
  trio::open_nursery([](trio::Nursery& nursery) {
    nursery.start_soon([] { throw std::out_of_range("key"); });
    throw std::invalid_argument("value");
  });
}

void fail_below(int levels) {
  if (levels == 0) throw std::out_of_range("deep down");
  tractor::open_nursery([&](tractor::ActorNursery& nursery) {
    nursery.run_in_actor<fail_below>({.name = "level" + std::to_string(levels - 1)}, levels - 1);
  });
}

}  // namespace

TEST_CASE("whatever is thrown crosses the wire: no std::exception, and groups with their members") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto daemon = nursery.start_actor("daemon", tractor::expose<throw_an_int, throw_a_group>);
      try {
        daemon.run<throw_an_int>();
        FAIL("no error");
      } catch (tractor::RemoteActorError const& error) {
        CHECK(error.type_name() == "int");
      }
      try {
        daemon.run<throw_a_group>();
        FAIL("no error");
      } catch (tractor::RemoteActorError const& error) {
        CHECK(error.type_name() == "trio::ExceptionGroup");
        REQUIRE(error.members().size() == 2);
        CHECK(error.members()[0].type == "std::invalid_argument");
        CHECK(error.members()[1].type == "std::out_of_range");
        CHECK(std::string(error.what()).find("std::out_of_range: key") != std::string::npos);
      }
      daemon.cancel_actor();
    });
  });
}

TEST_CASE("an error from deep in the tree cancels every level and is readable at the top") {
  auto const group = group_thrown_by([] { in_root([] { fail_below(3); }); });
  auto const* error = group.find<tractor::RemoteActorError>();
  REQUIRE(error);
  CHECK(std::string(error->what()).find("std::out_of_range: deep down") != std::string::npos);
}

TEST_CASE("trio::catching takes the remote errors out of a group") {
  int handled = 0;
  in_root([&] {
    trio::catching(
        [] {
          tractor::open_nursery(
              [](tractor::ActorNursery& nursery) { nursery.run_in_actor<fail_at_once>(); });
        },
        [&](tractor::RemoteActorError const&) { ++handled; });
  });
  CHECK(handled == 1);
}
