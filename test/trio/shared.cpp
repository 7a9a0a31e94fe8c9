// SPDX-License-Identifier: BSL-1.0
#include "../sanitized.hpp"
#include "support.hpp"

#include <memory>
#include <optional>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using support::AtEnd;
using support::Log;
using support::run;
using trio::Shared;
using trio::testing::assert_checkpoints;
using trio::testing::wait_all_tasks_blocked;

TEST_CASE("a shared computation runs once for all who want its result") {
  run([] {
    int computed = 0;
    Shared const shared([&] {
      ++computed;
      trio::sleep(5s);
      return std::make_unique<int>(42);
    });
    static_assert(std::is_same_v<decltype(shared.wait()), std::unique_ptr<int> const&>);
    int results = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int i = 0; i < 3; ++i)
        nursery.start_soon([&, i] {
          trio::sleep(i * 2s);
          auto const copy = shared;
          results += *copy.wait();
        });
      wait_all_tasks_blocked();
      CHECK(shared.statistics().running);
      CHECK(shared.statistics().tasks_waiting == 1);
    });
    CHECK(computed == 1);
    CHECK(results == 3 * 42);
    CHECK(shared.statistics().done);
    CHECK(!shared.statistics().running);
    assert_checkpoints([&] { CHECK(*shared.wait() == 42); });
    CHECK(computed == 1);
  });
}

TEST_CASE("a shared computation does not begin before somebody wants it") {
  run([] {
    bool begun = false;
    Shared const shared([&] { begun = true; });
    wait_all_tasks_blocked();
    CHECK(!begun);
    shared.wait();
    CHECK(begun);
  });
}

TEST_CASE("the error of a shared computation is thrown in everybody, now and later") {
  run([] {
    int computed = 0;
    Shared const shared([&]() -> int {
      ++computed;
      trio::sleep(1s);
      throw support::KeyError();
    });
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int i = 0; i < 2; ++i)
        nursery.start_soon([&] { CHECK_THROWS_AS(shared.wait(), support::KeyError); });
    });
    CHECK_THROWS_AS(shared.wait(), support::KeyError);
    CHECK(computed == 1);
  });
}

TEST_CASE("a shared computation goes on while anybody wants it, and no longer") {
  run([] {
    Log log;
    Shared const shared([&] {
      AtEnd const gone{[&] { log.push_back("gone"); }};
      trio::sleep(10s);
      return 1;
    });
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (auto patience : {1s, 3s, 2s})
        nursery.start_soon([&, patience] {
          CHECK(trio::move_on_after(patience, [&] { shared.wait(); }).cut_short);
          log.push_back(std::to_string(patience.count()));
        });
    });
    CHECK(log == Log{"1", "2", "gone", "3"});
    CHECK(!shared.statistics().done);
    CHECK(shared.wait() == 1);
  });
}

TEST_CASE("who is cancelled last waits until the computation is gone") {
  run([] {
    bool cleaned_up = false;
    Shared const shared([&] {
      AtEnd const clean_up{[&] {
        trio::shielded([] { trio::sleep(5s); });
        cleaned_up = true;
      }};
      trio::sleep_forever();
    });
    auto const start = trio::current_time();
    CHECK(trio::move_on_after(1s, [&] { shared.wait(); }).cut_short);
    CHECK(cleaned_up);
    CHECK(trio::current_time() - start == 6s);
  });
}

TEST_CASE("who asks while a computation is given up gets the next one") {
  run([] {
    int computed = 0;
    Shared const shared([&] {
      int const number = ++computed;
      AtEnd const clean_up{[&] { trio::shielded([] { trio::sleep(5s); }); }};
      trio::sleep(10s);
      return number;
    });
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { CHECK(trio::move_on_after(1s, [&] { shared.wait(); }).cut_short); });
      trio::sleep(2s);
      nursery.start_soon([&] { CHECK(shared.wait() == 2); });
      CHECK(trio::move_on_after(1s, [&] { shared.wait(); }).cut_short);
      CHECK(shared.wait() == 2);
    });
  });
}

TEST_CASE("the error of a computation that was given up is for the last who was cancelled") {
  run([] {
    int computed = 0;
    Shared const shared([&] {
      if (++computed > 1) return;
      try {
        trio::sleep_forever();
      } catch (trio::Cancelled const&) {
        throw support::KeyError();
      }
    });
    CHECK_THROWS_AS(static_cast<void>(trio::move_on_after(1s, [&] { shared.wait(); })),
                    support::KeyError);
    shared.wait();
    CHECK(computed == 2);
  });
}

TEST_CASE("a result that comes in spite of being given up is kept") {
  run([] {
    Shared const shared([] {
      trio::shielded([] { trio::sleep(2s); });
      return 7;
    });
    CHECK(trio::move_on_after(1s, [&] { shared.wait(); }).cut_short);
    CHECK(shared.statistics().done);
    CHECK(shared.wait() == 7);
  });
}

TEST_CASE("a shared computation may lose its handle before its result is there") {
  run([] {
    auto shared = std::make_optional<Shared<int>>([] {
      trio::sleep(1s);
      return 7;
    });
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([shared = *shared] { CHECK(shared.wait() == 7); });
      wait_all_tasks_blocked();
      shared.reset();
    });
  });
  CHECK_THROWS_AS(Shared<int>([] { return 1; }).wait(), trio::MisuseError);
}

TEST_CASE("a SIGINT is not lost to the error of the computation that it ends") {
  trio::testing::interrupt_at_every_checkpoint([] {
    Shared const shared([] {
      try {
        trio::sleep(5s);
      } catch (trio::Cancelled const&) {
        throw support::KeyError();
      }
    });
    trio::catching([&] { shared.wait(); }, [](support::KeyError const&) {});
  });
}

TEST_CASE("who waits for a shared computation that gets no stack is told" *
          doctest::skip(support::sanitized || support::under_tsan)) {
  CHECK_THROWS_AS(support::run_without_stacks([] {
                    Shared const shared([] { return 1; });
                    CHECK_THROWS_AS(shared.wait(), trio::BrokenResourceError);
                    CHECK(!shared.statistics().running);
                    CHECK(!shared.statistics().done);
                  }),
                  trio::TrioInternalError);
}
