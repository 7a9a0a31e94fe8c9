// SPDX-License-Identifier: BSL-1.0
#include "../sanitized.hpp"
#include "support.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using support::AtEnd;
using support::group;
using support::Log;
using support::matches;
using support::of;
using support::run;
using support::thrown_by;
using trio::Lend;
using trio::testing::assert_checkpoints;
using trio::testing::wait_all_tasks_blocked;

namespace {

using Cache = trio::ResourceCache<std::string, int>;

// Lends its number, with a second to open and a second to close.
struct Opens {
  Log& log;
  int& opened;

  void operator()(Lend<int> lend) const {
    trio::sleep(1s);
    int number = ++opened;
    log.push_back("open");
    lend(number);
    trio::sleep(1s);
    log.push_back("closed");
  }
};

}  // namespace

TEST_CASE("a resource is opened once for all who use it at a time, and closed after the last") {
  run([] {
    Cache cache;
    Log log;
    int opened = 0;
    std::vector<bool> hits;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int i = 0; i < 3; ++i)
        nursery.start_soon([&, i] {
          int const number = cache.maybe_open("a", Opens{log, opened}, [&](int& value, bool hit) {
            hits.push_back(hit);
            trio::sleep((i + 1) * 1s);
            return value;
          });
          CHECK(number == 1);
        });
      trio::sleep(1500ms);
      CHECK(cache.statistics().resources == 1);
      CHECK(cache.statistics().users == 3);
    });
    CHECK((hits == std::vector{false, true, true}));
    CHECK(log == Log{"open", "closed"});
    CHECK(cache.statistics().resources == 0);
    CHECK(cache.maybe_open("a", Opens{log, opened}, [](int value) { return value; }) == 2);
  });
}

TEST_CASE("resources of different keys have nothing to do with each other") {
  run([] {
    Cache cache;
    Log log;
    int opened = 0;
    auto const start = trio::current_time();
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (std::string const key : {"a", "b"})
        nursery.start_soon([&, key] {
          cache.maybe_open(key, Opens{log, opened}, [&](int, bool hit) { CHECK(!hit); });
        });
    });
    CHECK(opened == 2);
    CHECK(trio::current_time() - start == 2s);
  });
}

TEST_CASE("a user may use the resource again while it does") {
  run([] {
    Cache cache;
    Log log;
    int opened = 0;
    cache.maybe_open("a", Opens{log, opened}, [&](int& outer) {
      cache.maybe_open("a", Opens{log, opened}, [&](int& inner, bool hit) {
        CHECK(hit);
        CHECK(&inner == &outer);
      });
      CHECK(log == Log{"open"});
    });
    CHECK(log == Log{"open", "closed"});
  });
}

TEST_CASE("maybe_open is a checkpoint, though the resource is open") {
  run([] {
    Cache cache;
    Log log;
    int opened = 0;
    cache.maybe_open("a", Opens{log, opened}, [&](int) {
      assert_checkpoints([&] { cache.maybe_open("a", Opens{log, opened}, [](int) {}); });
    });
  });
}

TEST_CASE("who comes while a resource is closed waits, and opens it anew") {
  run([] {
    Cache cache;
    Log log;
    int opened = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { cache.maybe_open("a", Opens{log, opened}, [](int) {}); });
      trio::sleep(1500ms);
      CHECK(log == Log{"open"});
      cache.maybe_open("a", Opens{log, opened}, [&](int number, bool hit) {
        CHECK(!hit);
        CHECK(number == 2);
        CHECK(log == Log{"open", "closed", "open"});
      });
    });
  });
}

TEST_CASE("who opened a resource may go before the others") {
  run([] {
    Cache cache;
    Log log;
    int opened = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (auto stay : {1s, 5s})
        nursery.start_soon([&, stay] {
          cache.maybe_open("a", Opens{log, opened}, [&](int) { trio::sleep(stay); });
          log.push_back(std::to_string(stay.count()));
        });
    });
    CHECK(log == Log{"open", "1", "closed", "5"});
  });
}

TEST_CASE("an opening that fails is the error of who opened; the next tries again") {
  run([] {
    Cache cache;
    int tries = 0;
    auto const fails_once = [&](Lend<int> lend) {
      trio::sleep(1s);
      if (++tries == 1) throw support::KeyError();
      lend(int{tries});
    };
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        CHECK_THROWS_AS(cache.maybe_open("a", fails_once, [](int) {}), support::KeyError);
      });
      wait_all_tasks_blocked();
      cache.maybe_open("a", fails_once, [](int value, bool hit) {
        CHECK(!hit);
        CHECK(value == 2);
      });
    });
    CHECK(cache.statistics().resources == 0);
    CHECK_THROWS_AS(cache.maybe_open(
                        "a", [](Lend<int>) {}, [](int) {}),
                    trio::MisuseError);
  });
}

TEST_CASE("an opening that is cancelled is undone; the next opens") {
  run([] {
    Cache cache;
    Log log;
    int opened = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        CHECK(trio::move_on_after(500ms, [&] {
                cache.maybe_open("a", Opens{log, opened}, [](int) {});
              }).cut_short);
        CHECK(log.empty());
      });
      wait_all_tasks_blocked();
      // Gives up before it has its turn: leaves nothing behind.
      nursery.start_soon([&] {
        CHECK(trio::move_on_after(100ms, [&] {
                cache.maybe_open("a", Opens{log, opened}, [](int) {});
              }).cut_short);
      });
      cache.maybe_open("a", Opens{log, opened}, [](int number, bool hit) {
        CHECK(!hit);
        CHECK(number == 1);
      });
    });
    CHECK(cache.statistics().users == 0);
  });
}

TEST_CASE("the last user waits for the closing whatever is cancelled, and gets its error") {
  run([] {
    Cache cache;
    auto const fails_to_close = [](Lend<int> lend) {
      lend(1);
      trio::sleep(5s);
      throw support::KeyError();
    };
    auto const start = trio::current_time();
    CHECK(matches(thrown_by([&] {
                    return trio::move_on_after(1s, [&] {
                      cache.maybe_open("a", fails_to_close, [](int) { trio::sleep_forever(); });
                    });
                  }),
                  group(of<support::KeyError>())));
    CHECK(trio::current_time() - start == 6s);
    CHECK(matches(thrown_by([&] { cache.maybe_open("a", fails_to_close, [](int) {}); }),
                  of<support::KeyError>()));
    CHECK(matches(thrown_by([&] {
                    cache.maybe_open("a", fails_to_close, [](int) { throw support::ValueError(); });
                  }),
                  group(of<support::ValueError>(), of<support::KeyError>())));
  });
}

TEST_CASE("a user that fails does not disturb the others, nor the resource") {
  run([] {
    Cache cache;
    Log log;
    int opened = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        CHECK_THROWS_AS(
            cache.maybe_open("a", Opens{log, opened}, [](int) { throw support::KeyError(); }),
            support::KeyError);
      });
      cache.maybe_open("a", Opens{log, opened}, [](int) { trio::sleep(5s); });
    });
    CHECK(log == Log{"open", "closed"});
  });
}

TEST_CASE("a resource that dies takes its users along, and all of them get its error") {
  run([] {
    Cache cache;
    Log log;
    int errors = 0;
    auto const dies = [&](Lend<int> lend) {
      AtEnd const end{[&] { log.push_back("resource gone"); }};
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([] {
          trio::sleep(2s);
          throw support::KeyError();
        });
        lend(1);
      });
    };
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int i = 0; i < 3; ++i)
        nursery.start_soon([&] {
          auto const error = thrown_by([&] {
            cache.maybe_open("a", dies, [&](int) {
              AtEnd const end{[&] {
                trio::shielded([] { trio::sleep(1s); });
                log.push_back("user gone");
              }};
              trio::sleep_forever();
            });
          });
          CHECK(matches(error, group(of<support::KeyError>())));
          ++errors;
        });
    });
    CHECK(errors == 3);
    CHECK(log == Log{"user gone", "user gone", "user gone", "resource gone"});
    CHECK(cache.statistics().resources == 0);
  });
}

TEST_CASE("who comes while a dying resource waits for its users gets the next one") {
  run([] {
    Cache cache;
    int opened = 0;
    auto const first_dies = [&](Lend<int> lend) {
      int number = ++opened;
      static_cast<void>(trio::move_on_after(number == 1 ? 1s : 100s, [&] { lend(number); }));
    };
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        CHECK_THROWS_AS(cache.maybe_open("a", first_dies,
                                         [](int) {
                                           trio::shielded([] { trio::sleep(3s); });
                                           trio::lowlevel::checkpoint();
                                         }),
                        trio::BrokenResourceError);
      });
      trio::sleep(2s);
      auto const start = trio::current_time();
      cache.maybe_open("a", first_dies, [&](int number, bool hit) {
        CHECK(!hit);
        CHECK(number == 2);
        CHECK(trio::current_time() - start == 1s);
      });
    });
  });
}

TEST_CASE("a resource that ends by itself is broken for its users") {
  run([] {
    Cache cache;
    CHECK_THROWS_AS(
        cache.maybe_open(
            "a",
            [](Lend<int> lend) { static_cast<void>(trio::move_on_after(1s, [&] { lend(1); })); },
            [](int) { trio::sleep_forever(); }),
        trio::BrokenResourceError);
  });
}

TEST_CASE("who waits for an opening that is given up gets the next, though the first lends") {
  run([] {
    Cache cache;
    int opened = 0;
    auto const opens = [&](Lend<int> lend) {
      trio::shielded([] { trio::sleep(2s); });
      lend(int{++opened});
    };
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        CHECK(trio::move_on_after(1s, [&] { cache.maybe_open("a", opens, [](int) {}); }).cut_short);
      });
      wait_all_tasks_blocked();
      int const used = cache.maybe_open("a", opens, [](int number, bool hit) {
        CHECK(!hit);
        trio::sleep(1s);
        return number;
      });
      CHECK(used == 2);
    });
    CHECK(cache.statistics().resources == 0);
  });
}

TEST_CASE("a block that was given up does not wait for users, though a shield is around it") {
  run([] {
    Cache cache;
    bool closed = false;
    auto const start = trio::current_time();
    CHECK(trio::move_on_after(1s, [&] {
            cache.maybe_open(
                "a",
                [&](Lend<int> lend) {
                  trio::shielded([&] {
                    trio::sleep(2s);
                    lend(1);
                    closed = true;
                  });
                },
                [](int) {});
          }).cut_short);
    CHECK(closed);
    CHECK(trio::current_time() - start == 2s);
  });
}

TEST_CASE("who opens a resource whose block gets no stack is told" *
          doctest::skip(support::sanitized || support::under_tsan)) {
  CHECK_THROWS_AS(support::run_without_stacks([] {
                    Cache cache;
                    CHECK_THROWS_AS(cache.maybe_open(
                                        "a", [](Lend<int> lend) { lend(1); }, [](int) {}),
                                    trio::BrokenResourceError);
                    CHECK(cache.statistics().resources == 0);
                  }),
                  trio::TrioInternalError);
}
