// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using support::group;
using support::matches;
using support::of;
using support::run;
using support::thrown_by;
using trio::all_of;
using trio::any_of;
using trio::most_of;
using trio::race;

namespace {

// Returns `value` after `delay`.
template <class T> auto later(std::chrono::seconds delay, T value) {
  return [delay, value = std::move(value)]() mutable {
    trio::sleep(delay);
    return std::move(value);
  };
}

auto fails(std::chrono::seconds delay) {
  return [delay]() -> int {
    trio::sleep(delay);
    throw support::KeyError();
  };
}

using Job = std::function<int()>;

}  // namespace

TEST_CASE("any_of returns what came first, and has waited for the others") {
  run([] {
    bool loser_gone = false;
    auto const start = trio::current_time();
    auto const [slow, fast, nothing] = any_of(
        [&] {
          support::AtEnd const gone{[&] {
            trio::shielded([] { trio::sleep(1s); });
            loser_gone = true;
          }};
          trio::sleep(10s);
          return 1;
        },
        later(2s, std::string("fast")), [] { trio::sleep(5s); });
    static_assert(std::is_same_v<decltype(slow), std::optional<int> const>);
    static_assert(std::is_same_v<decltype(nothing), std::optional<std::monostate> const>);
    CHECK(!slow);
    CHECK(fast == "fast");
    CHECK(!nothing);
    CHECK(loser_gone);
    CHECK(trio::current_time() - start == 3s);
  });
}

TEST_CASE("any_of keeps what comes too late to be first but comes all the same") {
  run([] {
    auto const [first, second] = any_of(later(1s, 1), [] {
      trio::shielded([] { trio::sleep(2s); });
      return 2;
    });
    CHECK(first == 1);
    CHECK(second == 2);
  });
}

TEST_CASE("all_of returns everything in the order of the functions") {
  run([] {
    auto const start = trio::current_time();
    auto [number, text, pointer, nothing] = all_of(
        later(3s, 1), later(1s, std::string("text")), [] { return std::make_unique<int>(7); },
        [] {});
    static_assert(std::is_same_v<decltype(pointer), std::unique_ptr<int>>);
    static_assert(std::is_same_v<decltype(nothing), std::monostate>);
    CHECK(number == 1);
    CHECK(text == "text");
    CHECK(*pointer == 7);
    CHECK(trio::current_time() - start == 3s);
    CHECK(all_of() == std::tuple<>());
  });
}

TEST_CASE("race returns which function was first, and what it returned") {
  run([] {
    auto const winner = race(later(3s, 1), later(1s, std::string("text")), later(2s, 2));
    static_assert(std::is_same_v<decltype(winner), std::variant<int, std::string, int> const>);
    CHECK(winner.index() == 1);
    CHECK(std::get<1>(winner) == "text");
    CHECK(race([] {}).index() == 0);
  });
}

TEST_CASE("race drops what comes after the first") {
  run([] {
    auto const winner = race(later(1s, 1), [] {
      trio::shielded([] { trio::sleep(2s); });
      return 2;
    });
    CHECK(winner.index() == 0);
  });
}

TEST_CASE("most_of waits for everything, or keeps what is there when it is cancelled") {
  run([] {
    CHECK(most_of(later(1s, 1), later(2s, 2)) == std::tuple{std::optional(1), std::optional(2)});
    std::optional<int> first, second;
    auto const outcome = trio::move_on_after(3s, [&] {
      std::tie(first, second) = most_of(later(1s, 1), later(5s, 2));
      CHECK(first == 1);
      trio::lowlevel::checkpoint();
      FAIL("a Cancelled was due");
    });
    CHECK(outcome.cut_short);
    CHECK(first == 1);
    CHECK(!second);
  });
}

TEST_CASE("cancelled from outside, what has no result throws Cancelled") {
  run([] {
    auto const cut_short = [](auto body) { return trio::move_on_after(1s, body).cut_short; };
    CHECK(cut_short([] { most_of(later(2s, 1), later(3s, 2)); }));
    CHECK(cut_short([] { any_of(later(2s, 1), later(3s, 2)); }));
    CHECK(cut_short([] { all_of([] { return 1; }, later(3s, 2)); }));
    CHECK(cut_short([] { static_cast<void>(race(later(2s, 1))); }));
  });
}

TEST_CASE("a winner is not lost to a cancellation that comes while the losers clean up") {
  run([] {
    auto const slow_to_go = [] {
      support::AtEnd const clean_up{[] { trio::shielded([] { trio::sleep(5s); }); }};
      trio::sleep_forever();
    };
    std::optional<int> first;
    std::size_t winner = 9;
    CHECK(trio::move_on_after(3s, [&] {
            first = std::get<0>(any_of(later(1s, 1), slow_to_go));
            trio::lowlevel::checkpoint();
          }).cut_short);
    CHECK(first == 1);
    CHECK(trio::move_on_after(3s, [&] {
            winner = race(later(1s, 1), slow_to_go).index();
            trio::lowlevel::checkpoint();
          }).cut_short);
    CHECK(winner == 0);
  });
}

TEST_CASE("an error cancels the others and comes in a group, with all there are") {
  run([] {
    auto const one = group(of<support::KeyError>());
    CHECK(matches(thrown_by([] { return any_of(fails(1s), later(2s, 1)); }), one));
    CHECK(matches(thrown_by([] { return all_of(later(0s, 1), fails(1s)); }), one));
    CHECK(matches(thrown_by([] { return most_of(later(0s, 1), fails(1s)); }), one));
    CHECK(matches(thrown_by([] { return race(fails(1s), later(2s, 1)); }), one));
    CHECK(matches(thrown_by([] { return all_of(fails(1s), fails(1s)); }),
                  group(of<support::KeyError>(), of<support::KeyError>())));
    CHECK(matches(thrown_by([] {
                    return any_of(later(1s, 1), [] {
                      try {
                        trio::sleep_forever();
                      } catch (trio::Cancelled const&) {
                        throw support::KeyError();
                      }
                    });
                  }),
                  one));
  });
}

TEST_CASE("functions known at run time stand in a range, their results in a vector") {
  run([] {
    std::vector<Job> const jobs{later(3s, 3), later(1s, 1), later(2s, 2)};
    CHECK(all_of(jobs) == std::vector{3, 1, 2});
    CHECK(any_of(jobs) == std::vector<std::optional<int>>{{}, 1, {}});
    CHECK(most_of(jobs) == std::vector<std::optional<int>>{3, 1, 2});
    auto const winner = race(jobs);
    CHECK(winner.index == 1);
    CHECK(winner.value == 1);
    CHECK(matches(thrown_by([] { return all_of(std::vector<Job>{fails(1s)}); }),
                  group(of<support::KeyError>())));
  });
}

TEST_CASE("of no functions at all there are no results, and no first") {
  run([] {
    std::vector<Job> none;
    CHECK(all_of(none).empty());
    CHECK(most_of(none).empty());
    CHECK(any_of(none).empty());
    CHECK_THROWS_AS(static_cast<void>(race(none)), std::invalid_argument);
  });
}

TEST_CASE("functions are called where they stand, in tasks named after them") {
  run([] {
    struct Counts {
      int calls = 0;

      int operator()() {
        CHECK(trio::lowlevel::current_task().name().find("Counts") != std::string::npos);
        return ++calls;
      }
    } counts;
    all_of(counts, counts);
    CHECK(counts.calls == 2);
  });
  CHECK_THROWS_AS(all_of([] {}), trio::MisuseError);
}
