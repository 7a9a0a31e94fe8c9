// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using support::AtEnd;
using support::group;
using support::Log;
using support::matches;
using support::of;
using support::run;
using support::thrown_by;
using trio::finally_shielded;
using trio::with;

namespace {

// Clean-up that takes a second.
AtEnd says_when_gone(Log& log, std::string const& name) {
  return AtEnd{[&log, name] {
    trio::shielded([] { trio::sleep(1s); });
    log.push_back(name + " gone");
  }};
}

}  // namespace

TEST_CASE("with() runs the work over the background, and ends the background after it") {
  run([] {
    Log log;
    int const result = with(
        [&](trio::TaskStatus<int>& status) {
          auto const end = says_when_gone(log, "background");
          trio::sleep(1s);
          status.started(20);
          trio::sleep_forever();
        },
        [&](int& value) {
          auto const end = says_when_gone(log, "work");
          trio::sleep(1s);
          return value + 1;
        });
    CHECK(result == 21);
    CHECK(log == Log{"work gone", "background gone"});
  });
}

TEST_CASE("with() takes plain backgrounds, ones that report nothing, and work that wants nothing") {
  run([] {
    int ran = 0;
    auto const work = [&] {
      trio::sleep(1s);
      return ++ran;
    };
    CHECK(with([] { trio::sleep_forever(); }, work) == 1);
    CHECK(with(
              [](trio::TaskStatus<void>& status) {
                status.started();
                trio::sleep_forever();
              },
              work) == 2);
    CHECK(with([](trio::TaskStatus<int>& status) { status.started(1); }, work) == 3);
    CHECK(*with(
              [](trio::TaskStatus<std::unique_ptr<int>>& status) {
                status.started(std::make_unique<int>(4));
              },
              [](std::unique_ptr<int> value) { return value; }) == 4);
  });
}

TEST_CASE("cancelled, the work is gone before anything happens to the background") {
  for (bool reports : {false, true}) {
    CAPTURE(reports);
    run([&] {
      Log log;
      auto const background = [&] {
        AtEnd const end{[&] { log.push_back("background gone"); }};
        trio::sleep_forever();
      };
      auto const work = [&] {
        auto const end = says_when_gone(log, "work");
        trio::sleep_forever();
      };
      CHECK(trio::move_on_after(1s, [&] {
              if (!reports) return with(background, work);
              with(
                  [&](trio::TaskStatus<void>& status) {
                    status.started();
                    background();
                  },
                  work);
            }).cut_short);
      CHECK(log == Log{"work gone", "background gone"});
    });
  }
}

TEST_CASE("work that fails is gone before its background, and its error comes out as it is") {
  run([] {
    Log log;
    CHECK(matches(thrown_by([&] {
                    with(
                        [&] {
                          auto const end = says_when_gone(log, "background");
                          trio::sleep_forever();
                        },
                        [&] {
                          auto const end = says_when_gone(log, "work");
                          trio::lowlevel::checkpoint();
                          throw support::KeyError();
                        });
                  }),
                  of<support::KeyError>()));
    CHECK(log == Log{"work gone", "background gone"});
  });
}

TEST_CASE("a background that fails cancels the work, and its error comes out as it is") {
  run([] {
    bool cancelled = false;
    auto const background = [] {
      trio::sleep(1s);
      throw support::KeyError();
    };
    CHECK(matches(thrown_by([&] {
                    with(background, [&] {
                      try {
                        trio::sleep_forever();
                      } catch (trio::Cancelled const&) {
                        cancelled = true;
                        throw;
                      }
                    });
                  }),
                  of<support::KeyError>()));
    CHECK(cancelled);
    CHECK(matches(thrown_by([&] {
                    with(background, [&] {
                      AtEnd const wait{[] { trio::shielded([] { trio::sleep(2s); }); }};
                      trio::shielded([] { trio::sleep(2s); });
                      throw support::ValueError();
                    });
                  }),
                  of<trio::MultipleErrors>()));
  });
}

TEST_CASE("until the background has started, whatever cancels the caller cancels it") {
  run([] {
    bool worked = false;
    auto const start = trio::current_time();
    CHECK(trio::move_on_after(1s, [&] {
            with(
                [](trio::TaskStatus<void>& status) {
                  trio::sleep(5s);
                  status.started();
                },
                [&] { worked = true; });
          }).cut_short);
    CHECK(trio::current_time() - start == 1s);
    CHECK(!worked);
    CHECK_THROWS_AS(with([](trio::TaskStatus<void>&) {}, [&] { worked = true; }),
                    trio::MisuseError);
    CHECK(!worked);
  });
}

TEST_CASE("work does not begin over a background that was cancelled as it started") {
  run([] {
    bool worked = false;
    trio::CancelScope scope;
    support::within(scope, [&] {
      with(
          [&](trio::TaskStatus<void>& status) {
            status.started();
            scope.cancel();
            trio::sleep_forever();
          },
          [&] { worked = true; });
    });
    CHECK(scope.cancelled_caught());
    CHECK(!worked);
  });
}

TEST_CASE("finally_shielded() finishes in a cancelled scope, but not at any cost") {
  run([] {
    bool finished = false;
    trio::CancelScope scope;
    auto const start = trio::current_time();
    support::within(scope, [&] {
      scope.cancel();
      auto const outcome = finally_shielded(3s, [&] {
        trio::sleep(1s);
        finished = true;
        return 7;
      });
      CHECK(outcome.value == 7);
      CHECK(finally_shielded(3s, [] { trio::sleep_forever(); }).cut_short);
    });
    CHECK(finished);
    CHECK(trio::current_time() - start == 4s);
    CHECK_THROWS_AS(static_cast<void>(finally_shielded(-1s, [] {})), std::invalid_argument);
  });
}

TEST_CASE("finally_shielded() cleans up after a body, however it ends") {
  run([] {
    int cleaned_up = 0;
    auto const clean_up = [&] {
      trio::sleep(1s);
      ++cleaned_up;
    };
    CHECK(finally_shielded(2s, clean_up, [] { return 7; }) == 7);
    CHECK_THROWS_AS(finally_shielded(2s, clean_up, [] { throw support::KeyError(); }),
                    support::KeyError);
    CHECK(trio::move_on_after(1s, [&] {
            finally_shielded(2s, clean_up, [] { trio::sleep_forever(); });
          }).cut_short);
    CHECK(cleaned_up == 3);
    auto const start = trio::current_time();
    finally_shielded(
        2s, [] { trio::sleep_forever(); }, [] {});
    CHECK(trio::current_time() - start == 2s);
  });
}

TEST_CASE("finally_shielded() refuses a negative timeout before anything runs") {
  run([] {
    bool ran = false;
    CHECK_THROWS_AS(finally_shielded(
                        -1s, [] {}, [&] { ran = true; }),
                    std::invalid_argument);
    CHECK(!ran);
  });
}

TEST_CASE("an error of the clean-up does not hide that of the body") {
  run([] {
    auto const fails = [] { throw support::ValueError(); };
    CHECK(
        matches(thrown_by([&] { finally_shielded(1s, fails, [] {}); }), of<support::ValueError>()));
    CHECK(
        matches(thrown_by([&] { finally_shielded(1s, fails, [] { throw support::KeyError(); }); }),
                group(of<support::KeyError>(), of<support::ValueError>())));
  });
}
