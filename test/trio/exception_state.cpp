// SPDX-License-Identifier: BSL-1.0
// libstdc++ keeps what is being handled and how much is in flight for each thread; tasks share a
// thread. Each must nevertheless find its own.
#include "support.hpp"

#include <cerrno>
#include <exception>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using support::AtEnd;
using support::run;
using trio::lowlevel::checkpoint;

namespace {

// Too long a name for the small string buffer: a use after free meets freed heap.
struct Named {
  explicit Named(std::string what) : name("an error with a long name: " + std::move(what)) {}

  std::string name;

  bool is(std::string const& what) const { return name == "an error with a long name: " + what; }
};

bool handles(std::string const& what) {
  auto const error = std::current_exception();
  auto const* named = trio::exception_cast<Named>(error);
  return named && named->is(what);
}

}  // namespace

TEST_CASE("throw; rethrows a task's own exception though another is in a handler too [trio 3.3]") {
  std::vector<std::string> finished;
  auto const task = [&](std::string name) {
    try {
      throw Named(name);
    } catch (Named const& error) {
      checkpoint();
      CHECK(handles(name));
      CHECK(error.is(name));
      checkpoint();
      try {
        throw;
      } catch (Named const& again) {
        CHECK(&again == &error);
        checkpoint();
        CHECK(again.is(name));
      }
    }
    CHECK(!std::current_exception());
    finished.push_back(name);
  };
  run([&] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (char const* name : {"A", "B", "C"}) nursery.start_soon(task, name);
    });
  });
  CHECK(finished.size() == 3);
}

TEST_CASE("a task that leaves its handler frees its own exception, not another's [trio 3.3]") {
  std::vector<std::string> freed;

  struct Counted : Named {
    Counted(std::string const& what, std::vector<std::string>& to)
        : Named(what), label(what), freed(&to) {}

    ~Counted() { freed->push_back(label); }

    std::string label;
    std::vector<std::string>* freed;
  };

  trio::Event second_is_in, first_is_out;
  run([&] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        try {
          throw Counted("first", freed);
        } catch (Counted const&) {
          second_is_in.wait();
          CHECK(freed.empty());
        }
        CHECK(freed == std::vector<std::string>{"first"});
        first_is_out.set();
      });
      nursery.start_soon([&] {
        try {
          throw Counted("second", freed);
        } catch (Counted const& error) {
          second_is_in.set();
          first_is_out.wait();
          // Reads freed memory if the other one's way out took this one along.
          CHECK(error.is("second"));
          CHECK(handles("second"));
        }
      });
    });
  });
  CHECK(freed == std::vector<std::string>{"first", "second"});
}

TEST_CASE("handlers that end in another order than they began keep their exceptions [trio 3.3]") {
  trio::Event a_out, b_out;
  run([&] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      auto const task = [&](std::string name, trio::Event* before, trio::Event* after) {
        try {
          throw Named(name);
        } catch (Named const& error) {
          checkpoint();
          if (before) before->wait();
          CHECK(error.is(name));
          CHECK(handles(name));
        }
        CHECK(!std::current_exception());
        if (after) after->set();
      };
      nursery.start_soon(task, "C", &b_out, nullptr);
      nursery.start_soon(task, "A", nullptr, &a_out);
      nursery.start_soon(task, "B", &a_out, &b_out);
    });
  });
}

TEST_CASE("a destructor that waits in unwinding counts in its own task only [trio 3.3]") {
  trio::Event waiting, go_on;
  run([&] {
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        try {
          AtEnd const guard{[&] {
            CHECK(std::uncaught_exceptions() == 1);
            waiting.set();
            go_on.wait();
            CHECK(std::uncaught_exceptions() == 1);
          }};
          throw Named("in flight");
        } catch (Named const& error) {
          CHECK(error.is("in flight"));
          CHECK(std::uncaught_exceptions() == 0);
        }
      });
      nursery.start_soon([&] {
        waiting.wait();
        CHECK(std::uncaught_exceptions() == 0);
        CHECK(!std::current_exception());
        // A guard for failures, as there are many: it must not see another task's.
        bool failed = false;
        {
          int const before = std::uncaught_exceptions();
          AtEnd const on_failure{[&] { failed = std::uncaught_exceptions() > before; }};
          checkpoint();
        }
        CHECK(!failed);
        // And a whole throw and catch while the other one's is in flight.
        CHECK_THROWS_AS(throw Named("other"), Named);
        go_on.set();
      });
    });
  });
}

TEST_CASE("two destructors that wait in unwinding end in the other order [trio 3.3]") {
  trio::Event second_waits, second_is_done;
  run([&] {
    auto const unwind = [](std::string name, std::function<void()> wait) {
      try {
        AtEnd const guard{[&] {
          wait();
          CHECK(std::uncaught_exceptions() == 1);
        }};
        throw Named(name);
      } catch (Named const& error) {
        CHECK(error.is(name));
      }
      CHECK(std::uncaught_exceptions() == 0);
    };
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { unwind("first", [&] { second_is_done.wait(); }); });
      nursery.start_soon([&] {
        unwind("second", [&] { checkpoint(); });
        second_is_done.set();
      });
    });
  });
}

TEST_CASE("a task first run while its parent is in a handler starts with no exception [trio 3.3]") {
  run([&] {
    bool ran = false;
    try {
      throw Named("parent's");
    } catch (Named const& error) {
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([&] {
          CHECK(!std::current_exception());
          CHECK(std::uncaught_exceptions() == 0);
          ran = true;
        });
        checkpoint();
        checkpoint();
        CHECK(handles("parent's"));
      });
      CHECK(ran);
      CHECK(error.is("parent's"));
      CHECK_THROWS_AS(throw, Named);
    }
  });
}

TEST_CASE("a task first run while a destructor of its parent waits sees nothing in flight") {
  run([&] {
    bool ran = false;
    try {
      AtEnd const guard{[&] {
        trio::open_nursery([&](trio::Nursery& nursery) {
          nursery.start_soon([&] {
            CHECK(std::uncaught_exceptions() == 0);
            checkpoint();
            CHECK(std::uncaught_exceptions() == 0);
            ran = true;
          });
        });
        CHECK(std::uncaught_exceptions() == 1);
      }};
      throw Named("parent's");
    } catch (Named const& error) {
      CHECK(error.is("parent's"));
    }
    CHECK(ran);
  });
}

TEST_CASE("run() called in a handler starts clean and leaves the handler as it was [trio 3.3]") {
  try {
    throw Named("outside");
  } catch (Named const& error) {
    run([&] {
      CHECK(!std::current_exception());
      CHECK(std::uncaught_exceptions() == 0);
      try {
        throw Named("inside");
      } catch (Named const&) {
        trio::sleep(1s);
        CHECK(handles("inside"));
      }
      trio::open_nursery([](trio::Nursery& nursery) { nursery.start_soon(checkpoint); });
      CHECK(!std::current_exception());
    });
    CHECK(handles("outside"));
    CHECK_THROWS_AS(run([] {
                      checkpoint();
                      throw Named("out of run");
                    }),
                    Named);
    CHECK(handles("outside"));
    CHECK(error.is("outside"));
    CHECK_THROWS_AS(throw, Named);
  }
  CHECK(!std::current_exception());
}

TEST_CASE("run() called in a destructor that unwinding runs sees nothing in flight [trio 3.3]") {
  try {
    AtEnd const guard{[] {
      CHECK(std::uncaught_exceptions() == 1);
      // Neither the main task nor a task of it is in unwinding: cancellation works as ever.
      run([] {
        CHECK(std::uncaught_exceptions() == 0);
        auto const outcome = trio::move_on_after(1s, [] { trio::sleep_forever(); });
        CHECK(outcome.cut_short);
      });
      CHECK(std::uncaught_exceptions() == 1);
    }};
    throw Named("outside");
  } catch (Named const& error) {
    CHECK(error.is("outside"));
  }
}

TEST_CASE("handlers nested in each other survive parks between them") {
  run([&] {
    auto const task = [](std::string name) {
      try {
        throw Named(name + "1");
      } catch (Named const& outer) {
        checkpoint();
        try {
          throw Named(name + "2");
        } catch (Named const& middle) {
          checkpoint();
          try {
            throw Named(name + "3");
          } catch (Named const& inner) {
            checkpoint();
            CHECK(inner.is(name + "3"));
            CHECK(handles(name + "3"));
          }
          CHECK(handles(name + "2"));
          checkpoint();
          CHECK(handles(name + "2"));
          CHECK(middle.is(name + "2"));
        }
        checkpoint();
        CHECK(handles(name + "1"));
        CHECK(outer.is(name + "1"));
      }
      CHECK(!std::current_exception());
    };
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon(task, "A");
      nursery.start_soon(task, "B");
    });
  });
}

TEST_CASE("an error delivered into a handler and swallowed there leaves it intact [R:1267]") {
  run([&] {
    trio::Task* parked = nullptr;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        auto const handle_and_rethrow = [&] {
          try {
            throw Named("first");
          } catch (Named const&) {
            try {
              parked = &trio::lowlevel::current_task();
              trio::lowlevel::wait_task_rescheduled(
                  [](auto const&) { return trio::lowlevel::Abort::failed; });
              FAIL("an error was to be delivered");
            } catch (std::out_of_range const&) {}
            throw;
          }
        };
        CHECK_THROWS_AS(handle_and_rethrow(), Named);
        CHECK(!std::current_exception());
      });
      trio::testing::wait_all_tasks_blocked();
      trio::lowlevel::reschedule(*parked, std::make_exception_ptr(std::out_of_range("second")));
    });
  });
}

TEST_CASE("a Cancelled caught by a scope inside a handler leaves it intact [R:1199, R:1267]") {
  run([&] {
    bool rethrown = false;
    try {
      try {
        throw Named("first");
      } catch (Named const&) {
        auto const outcome = trio::move_on_after(1s, [] { trio::sleep_forever(); });
        CHECK(outcome.cut_short);
        CHECK(handles("first"));
        throw;
      }
    } catch (Named const& error) {
      rethrown = error.is("first");
    }
    CHECK(rethrown);
  });
}

TEST_CASE("a body of a nursery may rethrow what its opener is handling") {
  run([&] {
    try {
      throw Named("first");
    } catch (Named const&) {
      bool grouped = false;
      try {
        trio::open_nursery([](trio::Nursery& nursery) {
          nursery.start_soon(trio::sleep_forever);
          checkpoint();
          throw;
        });
      } catch (trio::BaseExceptionGroup const& group) {
        checkpoint();
        grouped = group.exceptions().size() == 1 && group.find<Named>()->is("first");
      }
      CHECK(grouped);
      CHECK(handles("first"));
    }
  });
}

TEST_CASE("an exception that several tasks hold is the same object for all of them") {
  run([&] {
    auto const shared = std::make_exception_ptr(Named("shared"));
    auto const* object = trio::exception_cast<Named>(shared);
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int i = 0; i < 3; ++i)
        nursery.start_soon([&] {
          try {
            std::rethrow_exception(shared);
          } catch (Named const& error) {
            checkpoint();
            CHECK(&error == object);
            CHECK(std::current_exception() == shared);
          }
        });
    });
    CHECK(object->is("shared"));
  });
}

TEST_CASE("a stack from the pool carries nothing over from the task it served before") {
  run([&] {
    for (int i = 0; i < 3; ++i) {
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([&] {
          CHECK(!std::current_exception());
          CHECK(std::uncaught_exceptions() == 0);
          try {
            throw Named("of an earlier task");
          } catch (Named const&) {
            checkpoint();
          }
        });
      });
      CHECK_THROWS_AS(trio::open_nursery([](trio::Nursery& nursery) {
                        nursery.start_soon([] { throw Named("of a failed task"); });
                      }),
                      trio::BaseExceptionGroup);
    }
  });
}

TEST_CASE("errno is a task's own across parks") {
  run([&] {
    auto const task = [](int mine) {
      errno = mine;
      for (int i = 0; i < 3; ++i) {
        checkpoint();
        CHECK(errno == mine);
        trio::sleep(1s);
        CHECK(errno == mine);
      }
    };
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon(task, EAGAIN);
      nursery.start_soon(task, ENOENT);
      nursery.start_soon(task, EPIPE);
    });
  });
}

namespace {

// Parks, throws, handles and unwinds at random, always knowing what it should find.
void wander(std::string const& name, int depth, std::mt19937& random) {
  auto const maybe_park = [&] {
    if (random() % 3 > 0) checkpoint();
  };
  int const in_flight = std::uncaught_exceptions();
  try {
    AtEnd const guard{[&] {
      CHECK(std::uncaught_exceptions() == in_flight + 1);
      maybe_park();
      if (depth > 0 && random() % 4 == 0) wander(name + "~", depth - 1, random);
      CHECK(std::uncaught_exceptions() == in_flight + 1);
    }};
    maybe_park();
    throw Named(name);
  } catch (Named const& error) {
    maybe_park();
    CHECK(handles(name));
    if (depth > 0) wander(name + std::to_string(depth), depth - 1, random);
    if (depth > 0 && random() % 2 > 0) wander(name + "'", depth - 1, random);
    maybe_park();
    CHECK(error.is(name));
    CHECK(handles(name));
    CHECK(std::uncaught_exceptions() == in_flight);
  }
}

}  // namespace

TEST_CASE("tasks that throw, handle and unwind in every order keep their exceptions apart") {
  for (unsigned seed = 0; seed < 20; ++seed) {
    trio::RunOptions options;
    options.shuffle_seed = seed;
    trio::run(options, [&] {
      trio::open_nursery([&](trio::Nursery& nursery) {
        for (unsigned i = 0; i < 8; ++i)
          nursery.start_soon([seed, i] {
            std::mt19937 random(seed * 100 + i);
            wander("task " + std::to_string(i), 3, random);
            CHECK(!std::current_exception());
          });
      });
    });
  }
}
