// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <vector>

using namespace support;
using trio::BaseExceptionGroup;
using trio::exception_cast;
using trio::ExceptionGroup;
using trio::make_exception_group;
using trio::lowlevel::checkpoint;

static_assert(std::is_base_of_v<BaseExceptionGroup, ExceptionGroup>);
static_assert(std::is_base_of_v<std::exception, ExceptionGroup>);
static_assert(!std::is_base_of_v<std::exception, BaseExceptionGroup>);
static_assert(std::is_nothrow_copy_constructible_v<std::exception>);

namespace {

using Errors = std::vector<std::exception_ptr>;

// Derived from no std::exception, like a Cancelled.
struct Foreign {};

struct Left : KeyError {};

struct Right : KeyError {};

struct Both : Left, Right {};

template <class T> std::exception_ptr error(T const& value = T()) {
  return std::make_exception_ptr(value);
}

// [KeyError("1"), [ValueError("2"), [KeyError("3")]]]
std::exception_ptr nested_group() {
  return make_exception_group(
      "outer",
      {error(KeyError("1")),
       make_exception_group("middle", {error(ValueError("2")),
                                       make_exception_group("inner", {error(KeyError("3"))})})});
}

[[noreturn]] void raise(std::exception_ptr const& what) { std::rethrow_exception(what); }

}  // namespace

TEST_CASE("a group of nothing but std::exceptions is an ExceptionGroup") {
  auto const all = make_exception_group("all", {error<KeyError>(), error<ValueError>()});
  CHECK(exception_cast<ExceptionGroup>(all));
  CHECK(exception_cast<std::exception>(all));
  CHECK_THROWS_AS(raise(all), std::exception);
}

TEST_CASE("a group with anything else in it is a BaseExceptionGroup only") {
  auto const all = make_exception_group("all", {error<KeyError>(), error<Foreign>()});
  CHECK_FALSE(exception_cast<ExceptionGroup>(all));
  CHECK_FALSE(exception_cast<std::exception>(all));
  CHECK_THROWS_AS(raise(all), BaseExceptionGroup);
  auto const outer = make_exception_group("outer", {all});
  CHECK_FALSE(exception_cast<std::exception>(outer));
}

TEST_CASE("a group of groups of std::exceptions is an ExceptionGroup") {
  CHECK(exception_cast<ExceptionGroup>(nested_group()));
}

TEST_CASE("a group needs at least one member") {
  CHECK_THROWS_AS(static_cast<void>(make_exception_group("none", {})), std::invalid_argument);
  CHECK_THROWS_AS(BaseExceptionGroup("none", {}), std::invalid_argument);
}

TEST_CASE("an ExceptionGroup cannot be made of what is no std::exception") {
  CHECK_THROWS_AS(ExceptionGroup("all", {error<Foreign>()}), std::invalid_argument);
}

TEST_CASE("a group keeps its message and its members as the objects they are") {
  Errors const members = {error<KeyError>(), error<ValueError>()};
  ExceptionGroup const all("all", members);
  CHECK(all.message() == "all");
  CHECK(all.exceptions() == members);
  BaseExceptionGroup const copy = all;
  CHECK(copy.exceptions() == members);
}

TEST_CASE("find() gives the first leaf of a type, depth first") {
  auto const outer = nested_group();
  auto const& all = *exception_cast<ExceptionGroup>(outer);
  REQUIRE(all.find<KeyError>());
  CHECK(std::string(all.find<KeyError>()->what()) == "1");
  REQUIRE(all.find<ValueError>());
  CHECK(std::string(all.find<ValueError>()->what()) == "2");
  CHECK(std::string(all.find<std::runtime_error>()->what()) == "1");
  CHECK_FALSE(all.find<std::logic_error>());
  CHECK_FALSE(all.find<Foreign>());
}

TEST_CASE("find() finds leaves, never the groups in between") {
  auto const outer =
      make_exception_group("outer", {make_exception_group("inner", {error<Foreign>()})});
  auto const& all = *exception_cast<BaseExceptionGroup>(outer);
  CHECK(all.find<Foreign>());
  CHECK_FALSE(all.find<BaseExceptionGroup>());
  CHECK_FALSE(all.find<std::exception>());
}

TEST_CASE("find_all() gives every leaf of a type, depth first") {
  auto const outer = nested_group();
  auto const& all = *exception_cast<ExceptionGroup>(outer);
  auto const keys = all.find_all<KeyError>();
  REQUIRE(keys.size() == 2);
  CHECK(std::string(keys[0]->what()) == "1");
  CHECK(std::string(keys[1]->what()) == "3");
  CHECK(all.find_all<std::exception>().size() == 3);
  CHECK(all.find_all<Foreign>().empty());
}

TEST_CASE("find_in() looks into a group and at a lone exception alike") {
  CHECK(std::string(trio::find_in<ValueError>(nested_group())->what()) == "2");
  CHECK(trio::find_in<KeyError>(error(KeyError("k"))));
  CHECK(trio::find_in<ValueError>(error(KeyError("k"))) == nullptr);
  CHECK(trio::find_in<KeyError>(nullptr) == nullptr);
}

TEST_CASE("split() divides a group by type, and keeps the shape of both parts") {
  auto const mixed = make_exception_group(
      "outer", {error(KeyError("1")), make_exception_group("inner", {error<Foreign>()})});
  auto const [keys, rest] = trio::split<KeyError>(mixed);
  CHECK(matches(keys, group(of<KeyError>("1"))));
  CHECK(matches(rest, group(group(of<Foreign>()))));
  CHECK(exception_cast<BaseExceptionGroup>(keys)->message() == "outer");

  auto const all = trio::split<KeyError>(error(KeyError("1")));
  CHECK(matches(all.matching, of<KeyError>("1")));
  CHECK(!all.rest);
  auto const none = trio::split<ValueError>(mixed);
  CHECK(!none.matching);
  CHECK(none.rest == mixed);
}

TEST_CASE("leaves() gives every leaf, depth first") {
  auto const outer = nested_group();
  auto const leaves = exception_cast<ExceptionGroup>(outer)->leaves();
  REQUIRE(leaves.size() == 3);
  CHECK(matches(leaves[0], of<KeyError>("1")));
  CHECK(matches(leaves[1], of<ValueError>("2")));
  CHECK(matches(leaves[2], of<KeyError>("3")));
}

TEST_CASE("exception_cast finds what a handler for the type would catch") {
  auto const key = error(KeyError("k"));
  CHECK(exception_cast<KeyError>(key));
  CHECK(exception_cast<std::runtime_error>(key));
  CHECK(std::string(exception_cast<std::exception>(key)->what()) == "k");
  CHECK_FALSE(exception_cast<ValueError>(key));
  CHECK_FALSE(exception_cast<KeyError>(nullptr));
  CHECK_FALSE(exception_cast<KeyError>(error(7)));
  KeyError object;
  CHECK_FALSE(exception_cast<KeyError>(error(&object)));
}

TEST_CASE("exception_cast finds the right part of an object with several bases") {
  auto const both = error<Both>();
  CHECK(exception_cast<Both>(both));
  CHECK(static_cast<Right*>(exception_cast<Both>(both)) == exception_cast<Right>(both));
  // No handler for an ambiguous base would catch it.
  CHECK_FALSE(exception_cast<KeyError>(both));
  auto const all = make_exception_group("all", {error<KeyError>()});
  CHECK(static_cast<std::exception*>(exception_cast<ExceptionGroup>(all)) ==
        exception_cast<std::exception>(all));
}

TEST_CASE("an exception is described by its type and message") {
  CHECK(trio::describe(nullptr) == "no exception");
  CHECK(trio::describe(error(KeyError("lost"))) == "support::KeyError: lost");
  CHECK(trio::describe(error(7)) == "int");
  CHECK(trio::describe(error<trio::Interrupted>()) == "trio::Interrupted");
}

TEST_CASE("a group is described in one line, with its members") {
  CHECK(trio::describe(nested_group()) ==
        "outer (2 errors: support::KeyError: 1; middle (2 errors: support::ValueError: 2; "
        "inner (1 error: support::KeyError: 3)))");
  auto const all = nested_group();
  CHECK(exception_cast<ExceptionGroup>(all)->what() == trio::describe(all));
  auto const foreign = make_exception_group("all", {error<trio::Interrupted>()});
  CHECK(trio::describe(foreign) == "all (1 error: trio::Interrupted)");
}

TEST_CASE("a group reports itself as a tree, a line a member") {
  auto const all = nested_group();
  CHECK(exception_cast<ExceptionGroup>(all)->report() ==
        "outer (2):\n"
        "  - support::KeyError: 1\n"
        "  - middle (2):\n"
        "      - support::ValueError: 2\n"
        "      - inner (1):\n"
        "          - support::KeyError: 3\n");
}

TEST_CASE("catching() returns what the body returns, or nothing if a handler stood in") {
  CHECK(trio::catching([] { return 7; }, [](KeyError const&) {}) == 7);
  CHECK(trio::catching([]() -> int { throw KeyError(); }, [](KeyError const&) {}) == std::nullopt);
  trio::catching([] {});
  auto const owned = trio::catching([] { return std::make_unique<int>(7); });
  REQUIRE(owned);
  CHECK(**owned == 7);
}

TEST_CASE("catching() handles a lone exception") {
  Log log;
  trio::catching([] { throw KeyError("k"); },
                 [&](KeyError const& key) { log.push_back(key.what()); });
  CHECK(log == Log{"k"});
}

TEST_CASE("catching() lets a lone exception that no handler wants pass as the object it is") {
  auto const thrown = error<ValueError>();
  CHECK(thrown_by([&] { trio::catching([&] { raise(thrown); }, [](KeyError const&) {}); }) ==
        thrown);
}

TEST_CASE("catching() gives each member of a group to the first handler that takes it") {
  Log log;
  trio::catching(
      [] { raise(nested_group()); },
      [&](KeyError const& key) { log.push_back(std::string("key ") + key.what()); },
      [&](std::exception const& other) { log.push_back(std::string("other ") + other.what()); });
  CHECK(log == Log{"key 1", "other 2", "key 3"});
}

TEST_CASE("catching() rethrows what no handler wants, in the shape it had") {
  auto const rest =
      thrown_by([] { trio::catching([] { raise(nested_group()); }, [](ValueError const&) {}); });
  CHECK(matches(rest, group(of<KeyError>("1"), group(group(of<KeyError>("3"))))));
  CHECK(exception_cast<BaseExceptionGroup>(rest)->message() == "outer");
}

TEST_CASE("catching() drops the groups that it has emptied") {
  auto const rest = thrown_by([] {
    trio::catching(
        [] {
          raise(make_exception_group(
              "outer", {error<KeyError>(), make_exception_group("inner", {error<ValueError>()})}));
        },
        [](ValueError const&) {});
  });
  CHECK(matches(rest, group(of<KeyError>())));
}

TEST_CASE("catching() lets a group that no handler wants pass as the object it is") {
  auto const thrown = nested_group();
  CHECK(thrown_by([&] { trio::catching([&] { raise(thrown); }, [](Foreign const&) {}); }) ==
        thrown);
}

TEST_CASE("catching() makes what is left a std::exception if it can be one") {
  auto const rest = thrown_by([] {
    trio::catching(
        [] {
          raise(make_exception_group("all", {error<KeyError>(), error<Foreign>()}));
        },
        [](Foreign const&) {});
  });
  CHECK(exception_cast<std::exception>(rest));
  CHECK(matches(rest, group(of<KeyError>())));
}

TEST_CASE("catching() takes handlers by value and by mutable reference") {
  int handled = 0;
  trio::catching(
      [] {
        raise(make_exception_group("all", {error<KeyError>(), error<ValueError>()}));
      },
      [&](KeyError) { ++handled; }, [&handled](ValueError&) mutable { ++handled; });
  CHECK(handled == 2);
}

TEST_CASE("what a handler throws joins what is left in a group") {
  auto const rest = thrown_by([] {
    trio::catching(
        [] {
          raise(make_exception_group("all", {error<KeyError>(), error<ValueError>()}));
        },
        [](KeyError const&) { throw std::logic_error("while handling"); });
  });
  CHECK(matches(rest, group(of<std::logic_error>("while handling"), group(of<ValueError>()))));
}

TEST_CASE("what a handler throws comes in a group even if nothing is left") {
  auto const rest = thrown_by([] {
    trio::catching([] { throw KeyError(); }, [](KeyError const&) { throw ValueError(); });
  });
  CHECK(matches(rest, group(of<ValueError>())));
}

TEST_CASE("handlers go on when one of them has thrown") {
  int handled = 0;
  auto const rest = thrown_by([&] {
    trio::catching([] { raise(nested_group()); },
                   [&](KeyError const&) {
                     ++handled;
                     throw ValueError();
                   });
  });
  CHECK(handled == 2);
  CHECK(
      matches(rest, group(of<ValueError>(), of<ValueError>(), group(group(of<ValueError>("2"))))));
}

TEST_CASE("throw; in a handler leaves the member where it was, as the object it is") {
  auto const key = std::make_exception_ptr(KeyError("1"));
  auto const value = std::make_exception_ptr(ValueError());
  auto const errors = trio::make_exception_group(
      "all",
      {value, trio::make_exception_group("inner", {key, std::make_exception_ptr(KeyError("2"))})});
  int later = 0;
  auto const rest = thrown_by([&] {
    trio::catching([&] { std::rethrow_exception(errors); },
                   [](KeyError const& error) {
                     CHECK(std::current_exception());
                     if (error.what() == std::string("1")) throw;
                   },
                   [](ValueError&) { throw; }, [&](std::runtime_error const&) { ++later; });
  });
  CHECK(matches(rest, group(of<ValueError>(), group(of<KeyError>("1")))));
  auto const leaves = trio::exception_cast<trio::BaseExceptionGroup>(rest)->leaves();
  CHECK(leaves == std::vector{value, key});
  // Whoever has taken it first has taken it.
  CHECK(later == 0);
}

TEST_CASE("throw; in the handler of a lone exception throws it on, and not in a group") {
  auto const key = std::make_exception_ptr(KeyError());
  CHECK(thrown_by([&] {
          trio::catching([&] { std::rethrow_exception(key); }, [](std::exception&) { throw; });
        }) == key);
}

TEST_CASE("throw; in a handler throws its own member on, though it has waited") {
  run([] {
    Log log;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (auto const name : {"a", "b"})
        nursery.start_soon([&log, name] {
          auto const rest = thrown_by([name] {
            trio::catching([name] { throw KeyError(name); },
                           [](KeyError const&) {
                             trio::sleep(1s);
                             throw;
                           });
          });
          log.push_back(trio::exception_cast<KeyError>(rest)->what());
        });
    });
    CHECK(log == Log{"a", "b"});
  });
}

TEST_CASE("a handler may wait") {
  run([] {
    Log log;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        trio::catching([] { throw KeyError("k"); },
                       [&](KeyError const& key) {
                         trio::sleep(2s);
                         log.push_back(key.what());
                       });
      });
      nursery.start_soon([&] {
        trio::catching([] { throw ValueError("v"); },
                       [&](ValueError const& value) {
                         trio::sleep(1s);
                         log.push_back(value.what());
                       });
      });
    });
    CHECK(log == Log{"v", "k"});
  });
}

TEST_CASE("a handler that is cancelled does not keep the scope from catching") {
  run([] {
    trio::CancelScope scope;
    auto const rest = thrown_by([&] {
      within(scope, [&] {
        trio::catching(
            [] {
              raise(make_exception_group("all", {error<KeyError>(), error<ValueError>()}));
            },
            [&](KeyError const&) {
              scope.cancel();
              checkpoint();
            });
      });
    });
    CHECK(scope.cancelled_caught());
    CHECK(matches(rest, group(group(of<ValueError>()))));
  });
}

TEST_CASE("catching() around a nursery lets Cancelled through to its scope") {
  run([] {
    Log log;
    trio::CancelScope scope;
    within(scope, [&] {
      trio::catching(
          [&] {
            trio::open_nursery([&](trio::Nursery& nursery) {
              nursery.start_soon(trio::sleep_forever);
              trio::testing::wait_all_tasks_blocked();
              scope.cancel();
              throw KeyError();
            });
          },
          [&](std::exception const& known) { log.push_back(known.what()); });
    });
    CHECK(log == Log{"key"});
    CHECK(scope.cancelled_caught());
  });
}

TEST_CASE("the members of a group can be rethrown one by one") {
  run([] {
    auto const all = thrown_by([] {
      trio::open_nursery([](trio::Nursery& nursery) {
        nursery.start_soon([] { throw KeyError("k"); });
        nursery.start_soon([] { throw ValueError("v"); });
      });
    });
    auto const members = exception_cast<ExceptionGroup>(all)->exceptions();
    CHECK_THROWS_WITH_AS(raise(members[0]), "k", KeyError);
    CHECK_THROWS_WITH_AS(raise(members[1]), "v", ValueError);
  });
}

TEST_CASE("splitting a foreign-typed group keeps a deep shape and re-picks each level's type") {
  auto const rest = thrown_by([] {
    trio::catching(
        [] {
          raise(make_exception_group(
              "outer", {make_exception_group("a", {error<Foreign>(), error(KeyError("1"))}),
                        make_exception_group("b", {error<Foreign>()}),
                        make_exception_group("c", {error(KeyError("2"))})}));
        },
        [](Foreign const&) {});
  });
  CHECK(matches(rest, group(group(of<KeyError>("1")), group(of<KeyError>("2")))));
}

TEST_CASE("rethrow_single throws the only error in a group, as the object it is [ut:262]") {
  auto const rethrown = [](std::vector<std::exception_ptr> members) {
    auto const all = trio::make_exception_group("all", std::move(members));
    return thrown_by([&] { trio::rethrow_single(all); });
  };
  // Only the library makes them.
  std::vector<std::exception_ptr> cancelled;
  run([&] {
    trio::CancelScope scope;
    scope.cancel();
    within(scope, [&] {
      for (int i = 0; i < 2; ++i) cancelled.push_back(thrown_by(trio::lowlevel::checkpoint));
    });
  });
  auto const key = std::make_exception_ptr(KeyError());
  auto const value = std::make_exception_ptr(ValueError());
  auto const interrupted = std::make_exception_ptr(trio::Interrupted());
  auto const inner = trio::make_exception_group("inner", {key, value});

  CHECK(rethrown({key}) == key);
  CHECK(rethrown({cancelled[0], key, cancelled[1]}) == key);
  CHECK(rethrown({cancelled[0], cancelled[1]}) == cancelled[0]);
  CHECK(rethrown({cancelled[0], inner}) == inner);
  CHECK(rethrown({key, value, interrupted}) == interrupted);

  // Members that are groups, as what has a nursery in it throws.
  auto const only_cancelled = trio::make_exception_group("cancelled", {cancelled[0]});
  auto const has_interrupted = trio::make_exception_group("interrupted", {key, interrupted});
  CHECK(rethrown({only_cancelled}) == only_cancelled);
  CHECK(rethrown({only_cancelled, key, cancelled[0]}) == key);
  CHECK(rethrown({value, has_interrupted}) == has_interrupted);
  CHECK(thrown_by([&] { trio::rethrow_single(key); }) == key);

  auto const several = rethrown({key, cancelled[0], value});
  auto const* multiple = trio::exception_cast<trio::MultipleErrors>(several);
  REQUIRE(multiple);
  CHECK(matches(multiple->group(), group(of<KeyError>(), of<trio::Cancelled>(), of<ValueError>())));
  CHECK(std::string(multiple->what()).find("KeyError") != std::string::npos);
}
