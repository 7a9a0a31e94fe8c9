// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using support::AtEnd;
using support::Log;
using support::matches;
using support::of;
using support::run;
using support::thrown_by;
using trio::gather;
using trio::Lend;

namespace {

// Lends `value`, with a second to open and a second to close.
template <class T> auto lends(Log& log, T value) {
  return [&log, value](Lend<T const> lend) {
    trio::sleep(1s);
    AtEnd const end{[&log] {
      if (std::uncaught_exceptions() > 0) log.push_back("aborted");
    }};
    lend(value);
    trio::sleep(1s);
    log.push_back("closed");
  };
}

}  // namespace

TEST_CASE("gather opens and closes its blocks at once, and hands the body what they lend") {
  run([] {
    Log log;
    auto const start = trio::current_time();
    int const result = gather(lends(log, 1), lends(log, std::string("two")), lends(log, 3.0),
                              [&](int number, std::string const& text, double real) {
                                CHECK(number == 1);
                                CHECK(text == "two");
                                CHECK(real == 3.0);
                                CHECK(trio::current_time() - start == 1s);
                                trio::sleep(1s);
                                CHECK(log.empty());
                                return 7;
                              });
    CHECK(result == 7);
    CHECK(log == Log(3, "closed"));
    CHECK(trio::current_time() - start == 3s);
  });
}

TEST_CASE("gather takes a range of blocks, and hands the body their values in order") {
  run([] {
    std::vector<std::function<void(Lend<int>)>> blocks;
    for (int i = 0; i < 3; ++i)
      blocks.push_back([i](Lend<int> lend) {
        trio::sleep((3 - i) * 1s);
        lend(int{i});
      });
    std::vector<int> values;
    gather(blocks, [&](std::vector<std::reference_wrapper<int>> const& lent) {
      values.assign(lent.begin(), lent.end());
    });
    CHECK(values == std::vector{0, 1, 2});
    blocks.clear();
    CHECK_THROWS_AS(gather(blocks, [](auto const&) {}), std::invalid_argument);
  });
}

TEST_CASE("a block that fails to open cancels the others, and no body runs") {
  run([] {
    Log log;
    bool ran = false;
    auto const fails = [](Lend<int>) { throw support::KeyError(); };
    CHECK(matches(thrown_by([&] { gather(lends(log, 1), fails, [&](int, int) { ran = true; }); }),
                  of<support::KeyError>()));
    CHECK(!ran);
    CHECK(log.empty());
    CHECK(matches(thrown_by([&] { gather([](Lend<int>) {}, [&](int) { ran = true; }); }),
                  of<trio::MisuseError>()));
    CHECK(!ran);
  });
}

TEST_CASE("when the body fails, the blocks are told by a Cancelled, after it is gone") {
  run([] {
    Log log;
    CHECK(matches(thrown_by([&] {
                    gather(lends(log, 1), lends(log, 2), [&](int, int) {
                      AtEnd const end{[&] {
                        trio::shielded([] { trio::sleep(5s); });
                        log.push_back("body gone");
                      }};
                      trio::sleep(1s);
                      throw support::KeyError();
                    });
                  }),
                  of<support::KeyError>()));
    CHECK(log == Log{"body gone", "aborted", "aborted"});
  });
}

TEST_CASE("cancelled from outside, the body is gone before a block hears of it") {
  run([] {
    Log log;
    CHECK(trio::move_on_after(2s, [&] {
            gather(lends(log, 1), lends(log, 2), [&](int, int) {
              AtEnd const end{[&] {
                trio::shielded([] { trio::sleep(5s); });
                log.push_back("body gone");
              }};
              trio::sleep_forever();
            });
          }).cut_short);
    CHECK(log == Log{"body gone", "aborted", "aborted"});
  });
}

TEST_CASE("what a block runs beside its lending hears of nothing while the body is there") {
  run([] {
    Log log;
    auto const serves = [&](Lend<int> lend) {
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([&] {
          AtEnd const end{[&] { log.push_back("service gone"); }};
          trio::sleep_forever();
        });
        lend(1);
      });
    };
    CHECK(trio::move_on_after(2s, [&] {
            gather(serves, [&](int) {
              AtEnd const end{[&] {
                trio::shielded([] { trio::sleep(5s); });
                log.push_back("body gone");
              }};
              trio::sleep_forever();
            });
          }).cut_short);
    CHECK(log == Log{"body gone", "service gone"});
  });
}

TEST_CASE("no body begins in a scope that was cancelled when the last block had lent") {
  run([] {
    bool ran = false;
    trio::CancelScope scope;
    trio::open_nursery([&](trio::Nursery& nursery) {
      support::within(scope, [&] {
        gather(
            [&](Lend<int> lend) {
              nursery.start_soon([&] { scope.cancel(); });
              lend(1);
            },
            [&](int) { ran = true; });
      });
    });
    CHECK(scope.cancelled_caught());
    CHECK(!ran);
  });
}

TEST_CASE("cancelled from outside while it opens, gather has opened nothing") {
  run([] {
    Log log;
    bool ran = false;
    auto const start = trio::current_time();
    CHECK(trio::move_on_after(2s, [&] {
            gather(
                lends(log, 1), [](Lend<int>) { trio::sleep_forever(); },
                [&](int, int) { ran = true; });
          }).cut_short);
    CHECK(trio::current_time() - start == 2s);
    CHECK(!ran);
    CHECK(log == Log{"aborted"});
  });
}

TEST_CASE("cleaning up after a body that ended well can be cancelled as ever") {
  run([] {
    auto const start = trio::current_time();
    CHECK(trio::move_on_after(3s, [&] {
            gather(
                [](Lend<int> lend) {
                  lend(1);
                  trio::sleep_forever();
                },
                [](int) {});
          }).cut_short);
    CHECK(trio::current_time() - start == 3s);
  });
}

TEST_CASE("a block that is cancelled by what it has around its lending takes the body with it") {
  run([] {
    Log log;
    auto const in_a_nursery = [&](Lend<int> lend) {
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([] {
          trio::sleep(2s);
          throw support::KeyError();
        });
        AtEnd const end{[&] { log.push_back("block gone"); }};
        lend(1);
      });
    };
    auto const in_a_scope = [](Lend<int> lend) {
      static_cast<void>(trio::move_on_after(2s, [&] { lend(1); }));
    };
    auto const body = [&](int) {
      AtEnd const end{[&] {
        trio::shielded([] { trio::sleep(5s); });
        log.push_back("body gone");
      }};
      trio::sleep_forever();
    };
    CHECK(matches(thrown_by([&] { gather(in_a_nursery, body); }),
                  support::group(of<support::KeyError>())));
    CHECK(log == Log{"body gone", "block gone"});
    CHECK(matches(thrown_by([&] { gather(in_a_scope, body); }), of<trio::BrokenResourceError>()));
  });
}

TEST_CASE("a block lends once") {
  run([] {
    CHECK(matches(thrown_by([] {
                    gather(
                        [](Lend<int> lend) {
                          lend(1);
                          lend(2);
                        },
                        [](int) {});
                  }),
                  of<trio::MisuseError>()));
  });
}
