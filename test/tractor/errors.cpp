// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <trio/testing.hpp>

#include <chrono>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>
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
        support::in_time(15s, [&] {
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
    });
    CHECK(group.exceptions().size() >= 1);
    CHECK(group.exceptions().size() <= 25);
    CHECK(all_are_assertion_errors(group));
  }
}

TEST_CASE("B3: errors that had arrived before the first cancelled the others are all kept") {
  std::size_t arrived = 0;
  auto const group = group_thrown_by([&] {
    in_root([&] {
      tractor::open_nursery([&](tractor::ActorNursery& nursery) {
        trio::shielded([&] {
          std::vector<tractor::ResultPortal<void>> portals;
          for (int i = 0; i < 4; ++i) portals.push_back(nursery.run_in_actor<fail_at_once>());
          // Each is waited for although the first error has cancelled the nursery.
          for (auto& portal : portals) {
            auto const error = support::thrown_by([&] { portal.result(); });
            if (trio::exception_cast<tractor::RemoteActorError>(error)) ++arrived;
          }
        });
      });
    });
  });
  CHECK(arrived >= 1);
  CHECK(group.exceptions().size() == arrived);
  CHECK(all_are_assertion_errors(group));
}

TEST_CASE("B13: a failing one-shot interrupts the body at once, as in a trio nursery") {
  bool interrupted = false;
  auto const group = group_thrown_by([&] {
    in_root([&] {
      tractor::open_nursery([&](tractor::ActorNursery& nursery) {
        nursery.run_in_actor<fail_at_once>();
        try {
          support::in_time(1s, [] { trio::sleep_forever(); });
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
      } catch (trio::ExceptionGroup const& group) {
        REQUIRE(group.exceptions().size() == 2);
        auto const* first = trio::exception_cast<tractor::RemoteActorError>(group.exceptions()[0]);
        REQUIRE(first);
        CHECK(first->type_name() == "std::invalid_argument");
        CHECK(first->source() == daemon.actor());
        CHECK(std::string(group.what()).find("std::out_of_range: key") != std::string::npos);
      }
      // A group also knows where it comes from.
      try {
        daemon.run<throw_a_group>();
        FAIL("no error");
      } catch (tractor::RemoteOrigin const& origin) {
        CHECK(origin.type_name() == "trio::ExceptionGroup");
        CHECK(origin.source() == daemon.actor());
        CHECK(origin.members().size() == 2);
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

namespace shop {

// Registered, with fields.
struct OutOfStock : std::runtime_error {
  OutOfStock() : std::runtime_error("out of stock") {}

  OutOfStock(std::string what, int how_many) : OutOfStock() {
    item = std::move(what);
    wanted = how_many;
  }

  std::string item;
  int wanted = 0;

  template <class Archive> void serialize(Archive& archive) { archive(item, wanted); }
};

// Registered, nothing but a message.
struct Closed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Registered; what it serialises itself by throws.
struct Awkward : std::runtime_error {
  Awkward() : std::runtime_error("awkward") {}

  template <class Archive> void serialize(Archive& archive) {
    int field = 0;
    archive(field);
    if constexpr (Archive::is_saving::value) throw std::logic_error("no");
  }
};

// Registered; cannot be read again.
struct Fussy : std::runtime_error {
  Fussy() : std::runtime_error("fussy") {}

  template <class Archive> void serialize(Archive& archive) {
    int field = 0;
    archive(field);
    if constexpr (Archive::is_loading::value) throw std::logic_error("no");
  }
};

// Not registered.
struct Robbed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace shop

namespace {

tractor::RegisterErrors<shop::OutOfStock, shop::Closed, shop::Awkward, shop::Fussy> const
    registered;

void order(int how) {
  if (how == 0) throw shop::OutOfStock("apples", 3);
  if (how == 1) throw shop::Closed("closed on sundays");
  if (how == 2) throw shop::Awkward();
  if (how == 4) throw shop::Fussy();
  throw shop::Robbed("hands up");
}

// Has a child of this actor run order(how), `levels` further down.
void order_below(int levels, int how) {
  if (levels == 0) return order(how);
  tractor::open_nursery([&](tractor::ActorNursery& nursery) {
    auto portal = nursery.start_actor("n" + std::to_string(levels), tractor::expose<order_below>);
    auto const error = support::thrown_by([&] { portal.run<order_below>(levels - 1, how); });
    portal.cancel_actor();
    std::rethrow_exception(error);
  });
}

// The same by way of a call to each level, whose error nobody wraps.
void relay_order(int levels) {
  if (levels == 0) return order(0);
  std::exception_ptr error;
  tractor::open_nursery([&](tractor::ActorNursery& nursery) {
    auto portal =
        nursery.start_actor("relay" + std::to_string(levels - 1), tractor::expose<relay_order>);
    error = support::thrown_by([&] { portal.run<relay_order>(levels - 1); });
    portal.cancel_actor();
  });
  std::rethrow_exception(error);
}

}  // namespace

TEST_CASE("B7: a registered error is rethrown as itself, fields included, and knows its origin") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto portal = nursery.start_actor("shop", tractor::expose<order>);
      try {
        portal.run<order>(0);
        FAIL("no error");
      } catch (shop::OutOfStock const& error) {
        CHECK(error.item == "apples");
        CHECK(error.wanted == 3);
        CHECK(std::string(error.what()) == "out of stock");
      }
      try {
        portal.run<order>(0);
        FAIL("no error");
      } catch (tractor::RemoteOrigin const& error) {
        CHECK(error.type_name() == "shop::OutOfStock");
        CHECK(error.source() == portal.actor());
        CHECK(error.function() == "(anonymous namespace)::order");
      }
      CHECK_THROWS_WITH_AS(portal.run<order>(1), "closed on sundays", shop::Closed);
      portal.cancel_actor();
    });
  });
}

TEST_CASE("B7: an unregistered error, or one that cannot be serialised, keeps name and text") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto portal = nursery.start_actor(
          "shop", {.log_level = tractor::LogLevel::off, .expose = tractor::expose<order>});
      try {
        portal.run<order>(3);
        FAIL("no error");
      } catch (tractor::RemoteActorError const& error) {
        CHECK(error.type_name() == "shop::Robbed");
        CHECK(error.message() == "hands up");
      }
      CHECK_THROWS_AS(portal.run<order>(2), tractor::RemoteActorError);
      CHECK_THROWS_AS(portal.run<order>(4), tractor::RemoteActorError);
      portal.cancel_actor();
    });
  });
}

TEST_CASE("B10: over any number of hops the source is kept, and the way it came") {
  auto const group = group_thrown_by([] { in_root([] { order_below(3, 3); }); });
  auto const* error = group.find<tractor::RemoteActorError>();
  REQUIRE(error);
  CHECK(error->type_name() == "shop::Robbed");
  CHECK(error->source().name == "n1");
  std::vector<std::string> way;
  for (auto const& hop : error->relay_path()) way.push_back(hop.name);
  CHECK(way == std::vector<std::string>{"n1", "n2", "n3"});
}

TEST_CASE("B10: a registered error is itself after any number of hops") {
  auto const group = group_thrown_by([] {
    in_root([] {
      tractor::open_nursery([](tractor::ActorNursery& nursery) {
        auto portal = nursery.start_actor("relay", tractor::expose<relay_order>);
        portal.run<relay_order>(2);
      });
    });
  });
  auto const* error = group.find<shop::OutOfStock>();
  REQUIRE(error);
  CHECK(error->item == "apples");
  auto const* origin = group.find<tractor::RemoteOrigin>();
  REQUIRE(origin);
  CHECK(origin->source().name == "relay0");
  CHECK(origin->relay_path().size() == 3);
}

TEST_CASE("B10: trio::catching finds a registered error in groups that came from another actor") {
  std::string item, way;
  in_root([&] {
    trio::catching([] { order_below(3, 0); },
                   [&](shop::OutOfStock const& error) {
                     item = error.item;
                     auto const& origin = dynamic_cast<tractor::RemoteOrigin const&>(error);
                     for (auto const& hop : origin.relay_path()) way += hop.name + " ";
                   });
  });
  CHECK(item == "apples");
  CHECK(way == "n1 n2 n3 ");
}

namespace {

[[gnu::noinline]] void fail_in_a_helper() { throw std::out_of_range("no such key"); }

void fail_with_a_stack() { fail_in_a_helper(); }

void rethrow_with_a_stack() {
  trio::open_nursery([](trio::Nursery& nursery) {
    nursery.start_soon(
        [] { static_cast<void>(trio::move_on_after(1h, [] { fail_in_a_helper(); })); });
  });
}

bool shows(std::vector<trio::StackFrame> const& stack, std::string const& function) {
  for (auto const& frame : stack)
    if (frame.function.find(function) != std::string::npos &&
        frame.file.ends_with("test/tractor/errors.cpp") && frame.line > 0)
      return true;
  return false;
}

}  // namespace

TEST_CASE("a remote error has the true stack of its throw, with files and lines") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto portal =
          nursery.start_actor("thrower", tractor::expose<fail_with_a_stack, rethrow_with_a_stack>);
      try {
        portal.run<fail_with_a_stack>();
        FAIL("no error");
      } catch (tractor::RemoteActorError const& error) {
        CHECK(shows(error.stack(), "fail_in_a_helper"));
        CHECK(shows(error.stack(), "fail_with_a_stack"));
        std::string const report = error.report();
        CHECK(
            report.starts_with("std::out_of_range: no such key\n  thrown in actor thrower (pid "));
        CHECK(report.find("fail_in_a_helper() at ") != std::string::npos);
        CHECK(report.find("__cxa_throw") == std::string::npos);
      }
      // Also that of a member of a group, through a scope and a task of a nursery.
      try {
        portal.run<rethrow_with_a_stack>();
        FAIL("no error");
      } catch (tractor::RemoteOrigin const& error) {
        CHECK(error.report().find("fail_in_a_helper() at ") != std::string::npos);
      }
      portal.cancel_actor();
    });
  });
}

namespace {

void nest_groups(int levels) {
  if (levels == 0) throw std::out_of_range("far down");
  trio::open_nursery([&](trio::Nursery&) { nest_groups(levels - 1); });
}

}  // namespace

TEST_CASE("an error in groups nested too deep for a message is still told, and its actor lives") {
  // The sanitizers' stack frames are large.
  static constexpr int levels = support::sanitized ? 60 : 150;
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto portal = nursery.start_actor("deep", tractor::expose<nest_groups>);
      try {
        portal.run<nest_groups>(levels);
        FAIL("no error");
      } catch (tractor::RemoteOrigin const& error) {
        CHECK(error.report().find("far down") != std::string::npos);
      }
      CHECK_THROWS_AS(portal.run<nest_groups>(1), trio::ExceptionGroup);
      portal.cancel_actor();
    });
  });
}

TEST_CASE("an error that a task of the body meets in result() comes out once") {
  auto const group = group_thrown_by([] {
    in_root([] {
      tractor::open_nursery([](tractor::ActorNursery& nursery) {
        auto portal = nursery.run_in_actor<fail_at_once>();
        trio::open_nursery(
            [&](trio::Nursery& tasks) { tasks.start_soon([&] { portal.result(); }); });
      });
    });
  });
  CHECK(group.leaves().size() == 1);
}
