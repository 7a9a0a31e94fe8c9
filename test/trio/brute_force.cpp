// SPDX-License-Identifier: BSL-1.0
// Whole scenarios, cancelled or interrupted at each of their cancel points in turn and in several
// schedules:
// nothing may hang, leak or terminate, locks must be free afterwards, values neither lost nor
// doubled, clean-up complete.
#include "support.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace std::chrono_literals;
using support::AtEnd;
using trio::lowlevel::checkpoint;
using trio::testing::cancel_at_every_checkpoint;
using trio::testing::interrupt_at_every_checkpoint;

namespace {

// Something to leak: stands on every task's stack, and in values.
struct Alive {
  Alive() { ++count; }

  Alive(Alive const&) { ++count; }

  ~Alive() { --count; }

  static inline int count = 0;
};

// Disturbs the scenario at each of its cancel points, in several schedules: `disturb` is one of
// testing's functions for that.
void brute_force(std::function<void()> const& scenario,
                 decltype(cancel_at_every_checkpoint) disturb) {
  for (std::optional<std::uint64_t> seed : {std::optional<std::uint64_t>{}, {1}, {2}, {3}, {4}}) {
    CAPTURE(seed.value_or(0));
    trio::RunOptions options;
    options.shuffle_seed = seed;
    std::uint64_t runs = 0;
    std::uint64_t completed = 0;
    auto const points = disturb(
        [&] {
          ++runs;
          auto const deadlines = trio::lowlevel::current_statistics().deadlines;
          auto const tasks = trio::lowlevel::current_statistics().tasks_living;
          AtEnd const check{[&] {
            CHECK(Alive::count == 0);
            CHECK(trio::lowlevel::current_statistics().deadlines == deadlines);
            CHECK(trio::lowlevel::current_statistics().tasks_living == tasks);
          }};
          scenario();
          ++completed;
        },
        options);
    CHECK(points >= 4);
    CHECK(runs == points + 1);
    // The last run meets no disturbance, and those that are disturbed after the end do not mind.
    CHECK(completed >= 1);
    CHECK(completed < runs);
  }
}

void brute_force(std::function<void()> const& scenario) {
  brute_force(scenario, cancel_at_every_checkpoint);
  brute_force(scenario, interrupt_at_every_checkpoint);
}

// For scenarios whose destructors wait at the normal end of a block, behind a shield: SIGINT passes
// shields, so that in the main task they may not.
void cancel_by_force(std::function<void()> const& scenario) {
  brute_force(scenario, cancel_at_every_checkpoint);
}

// Runs `body`, then `check`, however the body ends.
void checked(std::function<void()> check, std::function<void()> body) {
  AtEnd const guard{std::move(check)};
  body();
}

}  // namespace

TEST_CASE("brute force: nurseries in nurseries") {
  brute_force([] {
    std::function<void(int)> tree = [&](int depth) {
      Alive const alive;
      checkpoint();
      if (depth == 0) return;
      trio::open_nursery([&](trio::Nursery& nursery) {
        Alive const body;
        nursery.start_soon(std::ref(tree), depth - 1);
        nursery.start_soon(std::ref(tree), depth - 1);
        trio::sleep(1s);
      });
      checkpoint();
    };
    tree(3);
  });
}

TEST_CASE("brute force: a task that starts its siblings") {
  brute_force([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        Alive const alive;
        for (int i = 0; i < 3; ++i) {
          trio::sleep(1s);
          nursery.start_soon([] {
            Alive const sibling;
            trio::sleep(2s);
          });
        }
      });
    });
  });
}

TEST_CASE("brute force: errors in the tasks of a nursery") {
  brute_force([] {
    trio::catching(
        [] {
          trio::open_nursery([](trio::Nursery& nursery) {
            for (int i = 1; i <= 3; ++i)
              nursery.start_soon([i] {
                Alive const alive;
                trio::sleep(i * 1s);
                if (i == 2) throw support::KeyError();
              });
            nursery.start_soon([] {
              Alive const alive;
              try {
                trio::sleep_forever();
              } catch (trio::Cancelled const&) {
                trio::shielded([] { trio::sleep(1s); });
                throw support::ValueError();
              }
            });
          });
        },
        [](support::KeyError const&) { checkpoint(); },
        [](support::ValueError const&) { checkpoint(); });
    checkpoint();
  });
}

TEST_CASE("brute force: start()") {
  brute_force([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      Alive const alive;
      auto const service = [](int port, trio::TaskStatus<int>& status) {
        Alive const serving;
        trio::sleep(1s);
        trio::open_nursery([&](trio::Nursery& workers) {
          workers.start_soon([] {
            Alive const working;
            trio::sleep(5s);
          });
          trio::sleep(1s);
          status.started(port);
          trio::sleep(1s);
        });
      };
      int const first = nursery.start(service, 1);
      int const second = nursery.start(service, 2);
      CHECK(first + second == 3);
      nursery.start_soon([&] {
        int const third = nursery.start(service, 3);
        CHECK(third == 3);
      });
    });
  });
}

TEST_CASE("brute force: start() of what fails before and after it has started") {
  brute_force([] {
    auto const fails = [](bool before, trio::TaskStatus<void>& status) {
      Alive const alive;
      trio::sleep(1s);
      if (before) throw support::KeyError();
      status.started();
      trio::sleep(1s);
      throw support::ValueError();
    };
    trio::catching(
        [&] {
          trio::open_nursery([&](trio::Nursery& nursery) {
            bool failed = false;
            try {
              nursery.start(fails, true);
            } catch (support::KeyError const&) {
              failed = true;
              checkpoint();
            }
            CHECK(failed);
            nursery.start(fails, false);
            trio::sleep_forever();
          });
        },
        [](support::ValueError const&) {});
    checkpoint();
  });
}

TEST_CASE("brute force: join") {
  brute_force([] {
    int done = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int round = 1; round <= 2; ++round) {
        for (int i = 0; i < 3; ++i)
          nursery.start_soon([&, i] {
            Alive const alive;
            trio::sleep(i * 1s);
            ++done;
          });
        nursery.join();
        CHECK(done == 3 * round);
      }
    });
    CHECK(done == 6);
  });
}

TEST_CASE("brute force: join in a destructor") {
  cancel_by_force([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      int done = 0;
      for (int round = 0; round < 2; ++round) {
        for (int i = 0; i < 3; ++i)
          nursery.start_soon([&, i] {
            Alive const alive;
            trio::shielded([&] { trio::sleep(i * 1s); });
            ++done;
          });
        // `done` dies with this body, so that tasks must not outlive it even when it is cancelled.
        AtEnd const wait{[&] { trio::shielded([&] { nursery.join(); }); }};
        nursery.join();
      }
      CHECK(done == 6);
    });
  });
}

namespace {

// Two senders, two relays and two receivers over channels of this capacity.
void channel_scenario(std::size_t capacity) {
  struct Item : Alive {
    explicit Item(int is) : number(is) {}

    int number;
  };

  std::vector<int> sent, received;
  auto [first, middle_in] = trio::open_memory_channel<std::unique_ptr<Item>>(capacity);
  auto [middle_out, last] = trio::open_memory_channel<std::unique_ptr<Item>>(capacity);
  checked(
      [&, &in = middle_in, &out = last] {
        // What nobody came to receive is still there.
        auto const drain = [&](auto& channel) {
          try {
            for (;;) received.push_back(channel.receive_nowait()->number);
          } catch (trio::WouldBlock const&) {
          } catch (trio::EndOfChannel const&) {}
        };
        drain(in);
        drain(out);
        std::sort(sent.begin(), sent.end());
        std::sort(received.begin(), received.end());
        CHECK(sent == received);
        CHECK(in.statistics().tasks_waiting_send == 0);
        CHECK(in.statistics().tasks_waiting_receive == 0);
        CHECK(out.statistics().tasks_waiting_send == 0);
        CHECK(out.statistics().tasks_waiting_receive == 0);
      },
      [&, &to_middle = first, &from_first = middle_in, &to_last = middle_out, &from_middle = last] {
        trio::open_nursery([&](trio::Nursery& nursery) {
          auto const send = [&](trio::MemorySendChannel<std::unique_ptr<Item>> to, int base) {
            for (int i = base; i < base + 4; ++i) {
              to.send(std::make_unique<Item>(i));
              sent.push_back(i);
            }
          };
          auto const relay = [&](trio::MemoryReceiveChannel<std::unique_ptr<Item>> from,
                                 trio::MemorySendChannel<std::unique_ptr<Item>> to) {
            for (auto& item : from) {
              // Taken over, so that a value on its way when we are cancelled counts as received.
              int const number = item->number;
              bool handed_on = false;
              AtEnd const count{[&] {
                if (!handed_on) received.push_back(number);
              }};
              to.send(std::move(item));
              handed_on = true;
            }
          };
          auto const receive = [&](trio::MemoryReceiveChannel<std::unique_ptr<Item>> from,
                                   int some) {
            for (int i = 0; i < some; ++i) received.push_back(from.receive()->number);
          };
          nursery.start_soon(send, to_middle.clone(), 0);
          nursery.start_soon(send, to_middle.clone(), 10);
          nursery.start_soon(relay, from_first.clone(), to_last.clone());
          nursery.start_soon(relay, from_first.clone(), to_last.clone());
          nursery.start_soon(receive, from_middle.clone(), 4);
          nursery.start_soon(receive, from_middle.clone(), 4);
          to_middle.close();
          to_last.close();
        });
      });
}

}  // namespace

TEST_CASE("brute force: values through channels are neither lost nor doubled") {
  for (std::size_t capacity : {std::size_t{0}, std::size_t{1}, std::size_t{3}, trio::unbounded}) {
    CAPTURE(capacity);
    brute_force([capacity] { channel_scenario(capacity); });
  }
}

TEST_CASE("brute force: who waits in a condition leaves with its lock held") {
  brute_force([] {
    trio::Condition condition;
    int items = 0;
    checked(
        [&] {
          CHECK(!condition.locked());
          CHECK(condition.statistics().tasks_waiting == 0);
        },
        [&] {
          trio::open_nursery([&](trio::Nursery& nursery) {
            for (int i = 0; i < 3; ++i)
              nursery.start_soon([&] {
                auto const held = condition.guard();
                AtEnd const check{[&] {
                  CHECK(condition.statistics().lock_statistics.owner ==
                        &trio::lowlevel::current_task());
                }};
                condition.wait([&] { return items > 0; });
                --items;
                checkpoint();
              });
            for (int i = 0; i < 3; ++i) {
              trio::sleep(1s);
              auto const held = condition.guard();
              ++items;
              condition.notify(2);
              trio::sleep(1s);
            }
          });
        });
  });
}

TEST_CASE("brute force: a limiter gets its tokens back, however many it has meanwhile") {
  brute_force([] {
    trio::CapacityLimiter limiter(2);
    std::size_t inside = 0;
    checked(
        [&] {
          CHECK(inside == 0);
          CHECK(limiter.borrowed_tokens() == 0);
          CHECK(limiter.statistics().tasks_waiting == 0);
        },
        [&] {
          trio::open_nursery([&](trio::Nursery& nursery) {
            for (int i = 0; i < 5; ++i)
              nursery.start_soon([&, i] {
                auto const held = limiter.guard();
                CHECK(++inside <= 3);
                AtEnd const leave{[&] { --inside; }};
                trio::sleep(i * 1s);
              });
            trio::sleep(1s);
            limiter.set_total_tokens(0);
            trio::sleep(5s);
            limiter.set_total_tokens(3);
          });
        });
  });
}

TEST_CASE("brute force: a lock taken by hand is released or broken, and hangs nobody") {
  brute_force([] {
    trio::Lock lock;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int i = 0; i < 3; ++i)
        nursery.start_soon([&] {
          Alive const alive;
          try {
            lock.acquire();
            trio::sleep(1s);
            lock.release();
          } catch (trio::BrokenResourceError const&) {}
        });
    });
  });
}

TEST_CASE("brute force: broadcasts lose nothing, end for everybody, and nobody is forgotten") {
  brute_force([] {
    auto [sender, source] = trio::open_memory_channel<int>(1);
    auto first = trio::broadcast(std::move(source), 2);
    auto second = first.subscribe();
    auto third = first.subscribe();
    checked([&] { CHECK(first.statistics().tasks_waiting == 0); },
            [&, &to = sender] {
              trio::open_nursery([&](trio::Nursery& nursery) {
                for (auto* receiver : {&first, &second, &third})
                  nursery.start_soon([receiver, patience = receiver == &first ? 2s : 20s] {
                    Alive const alive;
                    static_cast<void>(trio::move_on_after(patience, [&] {
                      int last = -1;
                      for (;;) {
                        try {
                          for (int value : *receiver) {
                            CHECK(value == last + 1);
                            last = value;
                          }
                          CHECK(last == 4);
                          return;
                        } catch (trio::Lagged const& lagged) {
                          last += static_cast<int>(lagged.missed);
                        }
                      }
                    }));
                  });
                for (int i = 0; i < 5; ++i) {
                  trio::sleep(1s);
                  to.send(i);
                }
                to.close();
              });
            });
  });
}

TEST_CASE("brute force: values that are waited upon") {
  brute_force([] {
    trio::Value<int> value(0);
    checked([&] { CHECK(value.statistics().tasks_waiting == 0); },
            [&] {
              trio::open_nursery([&](trio::Nursery& nursery) {
                for (int wanted : {1, 2, 3})
                  nursery.start_soon([&, wanted] {
                    Alive const alive;
                    int const got = value.until_equals(wanted);
                    CHECK(got == wanted);
                    if (wanted == 3) return;
                    auto const change = value.until_changed();
                    CHECK(change.before < change.now);
                  });
                for (int next : {1, 2, 3}) {
                  trio::sleep(1s);
                  value.set(next);
                }
              });
            });
  });
}

TEST_CASE("brute force: a shared computation is gone with the last that wants it") {
  brute_force([] {
    int running = 0;
    trio::Shared const shared([&] {
      Alive const alive;
      ++running;
      AtEnd const end{[&] { --running; }};
      trio::sleep(2s);
      trio::shielded([] { trio::sleep(1s); });
      return 7;
    });
    checked(
        [&] {
          CHECK(running == 0);
          CHECK(shared.statistics().tasks_waiting == 0);
        },
        [&] {
          trio::open_nursery([&](trio::Nursery& nursery) {
            for (int i = 0; i < 3; ++i)
              nursery.start_soon([&, i] {
                static_cast<void>(trio::move_on_after((i + 1) * 1s, [&] { return shared.wait(); }));
              });
            int const result = shared.wait();
            CHECK(result == 7);
          });
        });
  });
}

TEST_CASE("brute force: combinators wait for everybody") {
  brute_force([] {
    auto const works = [](auto time) {
      return [time] {
        Alive const alive;
        trio::sleep(time);
        return 1;
      };
    };
    trio::any_of(works(2s), works(1s), [&] { return trio::race(works(5s), works(3s)); });
    checkpoint();
    trio::most_of(works(1s), [&] { return trio::all_of(works(1s), works(2s)); });
    checkpoint();
  });
}

TEST_CASE("brute force: work is gone before its background, whatever comes when") {
  brute_force([] {
    int working = 0;
    bool there = false;
    checked([&] { CHECK(!there); },
            [&] {
              trio::with(
                  [&](trio::TaskStatus<int>& status) {
                    Alive const alive;
                    trio::sleep(1s);
                    there = true;
                    AtEnd const end{[&] {
                      CHECK(working == 0);
                      there = false;
                    }};
                    status.started(7);
                    trio::sleep_forever();
                  },
                  [&](int) {
                    trio::finally_shielded(
                        5s, [] { trio::sleep(1s); },
                        [&] {
                          CHECK(there);
                          ++working;
                          AtEnd const end{[&] { --working; }};
                          trio::sleep(1s);
                          checkpoint();
                        });
                    CHECK(there);
                  });
            });
  });
}

TEST_CASE("brute force: what is on loan is there as long as it is used") {
  brute_force([] {
    std::array<int, 2> there = {};
    auto const lends = [&](int& is_there) {
      return [&](trio::Lend<int> lend) {
        Alive const alive;
        trio::sleep(1s);
        ++is_there;
        AtEnd const end{[&] { --is_there; }};
        lend(is_there);
        checkpoint();
      };
    };
    trio::ResourceCache<int, int> cache;
    auto const all_gone = [&] {
      CHECK(there == std::array{0, 0});
      CHECK(cache.statistics().resources == 0);
      CHECK(cache.statistics().users == 0);
    };
    checked(all_gone, [&] {
      trio::gather(lends(there[0]), lends(there[1]), [](int& one, int& other) {
        AtEnd const end{[&] { CHECK(one + other == 2); }};
        trio::sleep(1s);
      });
    });
    checked(all_gone, [&] {
      trio::open_nursery([&](trio::Nursery& nursery) {
        for (int i = 0; i < 4; ++i)
          nursery.start_soon([&, i] {
            trio::sleep(i * 1s);
            cache.maybe_open(i % 2, lends(there[i % 2]), [](int& is_there) {
              AtEnd const end{[&] { CHECK(is_there == 1); }};
              trio::sleep(1s);
            });
          });
      });
    });
  });
}

TEST_CASE("brute force: clean-up begun is clean-up finished") {
  brute_force([] {
    int begun = 0, finished = 0;
    checked([&] { CHECK(begun == finished); },
            [&] {
              trio::open_nursery([&](trio::Nursery& nursery) {
                for (int i = 0; i < 3; ++i)
                  nursery.start_soon([&] {
                    // In unwinding, where everything is shielded...
                    AtEnd const in_destructor{[&] {
                      ++begun;
                      trio::shielded([] {
                        trio::sleep(1s);
                        checkpoint();
                      });
                      ++finished;
                    }};
                    // ... and in a handler, where one says so.
                    try {
                      trio::sleep(5s);
                    } catch (...) {
                      ++begun;
                      trio::shielded([] {
                        trio::sleep(2s);
                        trio::open_nursery([](trio::Nursery& inner) {
                          inner.start_soon([] { trio::sleep(1s); });
                        });
                      });
                      ++finished;
                      throw;
                    }
                  });
              });
            });
  });
}

TEST_CASE("brute force: bounded clean-up in destructors") {
  cancel_by_force([] {
    int begun = 0, finished = 0;
    checked([&] { CHECK(begun == finished); },
            [&] {
              AtEnd const outer{[&] {
                Alive const alive;
                ++begun;
                static_cast<void>(trio::shielded([&] {
                  return trio::move_on_after(1s, [&] {
                    AtEnd const inner{[&] {
                      ++begun;
                      trio::shielded([] { trio::sleep(1s); });
                      ++finished;
                    }};
                    trio::sleep_forever();
                  });
                }));
                ++finished;
              }};
              trio::sleep(1s);
              trio::sleep(1s);
            });
  });
}

TEST_CASE("brute force: descriptors") {
  cancel_by_force([] {
    std::array<int, 2> ends{-1, -1};
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
    checked(
        [&] {
          // Nobody is left waiting at either end: else this would be busy.
          trio::shielded([&] {
            for (int fd : ends) {
              static_cast<void>(
                  trio::move_on_after(0s, [&] { trio::lowlevel::wait_readable(fd); }));
              trio::lowlevel::wait_writable(fd);
              close(fd);
            }
          });
        },
        [&] {
          trio::open_nursery([&](trio::Nursery& nursery) {
            auto const play = [](int fd, bool begins) {
              Alive const alive;
              char ball = 'x';
              for (int i = 0; i < 4; ++i) {
                if (begins == (i % 2 == 0)) {
                  trio::lowlevel::wait_writable(fd);
                  CHECK(write(fd, &ball, 1) == 1);
                } else {
                  trio::lowlevel::wait_readable(fd);
                  CHECK(read(fd, &ball, 1) == 1);
                }
              }
            };
            nursery.start_soon(play, ends[0], true);
            nursery.start_soon(play, ends[1], false);
          });
        });
  });
}

TEST_CASE("brute force: timeouts in timeouts") {
  brute_force([] {
    Alive const alive;
    auto const outcome = trio::move_on_after(10s, [] {
      for (int i = 1; i <= 3; ++i) {
        try {
          trio::fail_after(i * 1s, [] {
            static_cast<void>(trio::move_on_after(2s, [] { trio::sleep(5s); }));
            checkpoint();
          });
        } catch (trio::TooSlowError const&) {
          trio::sleep(1s);
        }
      }
      trio::shielded([] { trio::sleep(1s); });
      trio::sleep_forever();
    });
    CHECK(outcome.cut_short);
    checkpoint();
  });
}

TEST_CASE("brute force: shields raised and lowered") {
  brute_force([] {
    trio::CancelScope scope(trio::never, true);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        Alive const alive;
        static_cast<void>(scope.enter([] { trio::sleep(3s); }));
        checkpoint();
      });
      nursery.start_soon([&] {
        // Whatever becomes of us, the shield comes down.
        AtEnd const lower{[&] { scope.set_shield(false); }};
        trio::sleep(1s);
        scope.set_shield(false);
        trio::sleep(1s);
        scope.set_shield(true);
        trio::sleep(3s);
      });
    });
  });
}

TEST_CASE("brute force: events and idleness") {
  brute_force([] {
    trio::Event first, second;
    checked(
        [&] {
          CHECK(first.tasks_waiting() == 0);
          CHECK(second.tasks_waiting() == 0);
        },
        [&] {
          trio::open_nursery([&](trio::Nursery& nursery) {
            for (int i = 0; i < 3; ++i)
              nursery.start_soon([&] {
                Alive const alive;
                first.wait();
                checkpoint();
                second.wait();
              });
            trio::testing::wait_all_tasks_blocked();
            first.set();
            trio::testing::wait_all_tasks_blocked();
            second.set();
          });
        });
  });
}

TEST_CASE("brute force: a sequence of turns breaks, but hangs nobody") {
  brute_force([] {
    trio::testing::Sequencer sequencer;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int i = 0; i < 3; ++i)
        nursery.start_soon([&, i] {
          Alive const alive;
          try {
            sequencer.enter(i, [] { trio::sleep(1s); });
            sequencer.enter(i + 3, [] { checkpoint(); });
          } catch (trio::MisuseError const&) {}
        });
    });
  });
}

TEST_CASE("brute force: system tasks and calls from outside") {
  cancel_by_force([] {
    int accepted = 0, called = 0;
    checked(
        [&] {
          trio::shielded([] { trio::testing::wait_all_tasks_blocked(); });
          CHECK(called == accepted);
        },
        [&] {
          trio::Event done;
          trio::lowlevel::TrioToken const token = trio::lowlevel::current_trio_token();
          for (int i = 0; i < 3; ++i) {
            token.run_sync_soon([&] { ++called; });
            ++accepted;
            checkpoint();
          }
          trio::open_nursery([&](trio::Nursery& nursery) {
            nursery.start_soon([&] { done.wait(); });
            token.run_sync_soon([&] {
              ++called;
              done.set();
            });
            ++accepted;
          });
        });
  });
}

TEST_CASE("brute force: threads that call back") {
  brute_force([] {
    trio::CapacityLimiter limiter(1);
    checked([&] { CHECK(limiter.borrowed_tokens() == 0); },
            [&] {
              trio::open_nursery([&](trio::Nursery& nursery) {
                for (int i = 0; i < 2; ++i)
                  nursery.start_soon([&] {
                    Alive const alive;
                    // Never abandoned, so that the thread may refer to what lives here.
                    int const answer = trio::to_thread::run({.limiter = &limiter}, [&] {
                      trio::from_thread::check_cancelled();
                      return trio::from_thread::run([&] {
                        Alive const called_back;
                        trio::sleep(1s);
                        return 7;
                      });
                    });
                    CHECK(answer == 7);
                  });
                trio::sleep(1s);
              });
            });
  });
}

TEST_CASE("brute force: threads that are abandoned") {
  brute_force([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      for (int i = 0; i < 2; ++i)
        nursery.start_soon([i] {
          Alive const alive;
          int const answer = trio::to_thread::run({.abandon_on_cancel = true}, [i] { return i; });
          CHECK(answer == i);
        });
      trio::to_thread::run({.abandon_on_cancel = true}, [] {});
      checkpoint();
    });
  });
}

TEST_CASE("brute force: signals are received or left") {
  brute_force([] {
    // What is left would be raised again.
    struct sigaction before = {};
    struct sigaction ignored = {};
    ignored.sa_handler = SIG_IGN;
    sigaction(SIGUSR1, &ignored, &before);
    checked([&] { sigaction(SIGUSR1, &before, nullptr); },
            [] {
              auto signals = trio::open_signal_receiver({SIGUSR1});
              trio::open_nursery([&](trio::Nursery& nursery) {
                nursery.start_soon([&] {
                  Alive const alive;
                  for (int i = 0; i < 2; ++i) {
                    int const signal = signals.receive();
                    CHECK(signal == SIGUSR1);
                  }
                });
                trio::testing::wait_all_tasks_blocked();
                raise(SIGUSR1);
                trio::testing::wait_all_tasks_blocked();
                raise(SIGUSR1);
              });
            });
  });
}

TEST_CASE("brute force: handlers that wait while others handle") {
  brute_force([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      for (int i = 0; i < 3; ++i)
        nursery.start_soon([i] {
          std::string const name = "an error of the task with the number " + std::to_string(i);
          try {
            try {
              throw support::KeyError(name);
            } catch (support::KeyError const& error) {
              trio::sleep(i * 1s);
              CHECK(error.what() == name);
              throw;
            }
          } catch (support::KeyError const& error) {
            checkpoint();
            CHECK(error.what() == name);
          }
        });
    });
  });
}

TEST_CASE("cancel_at_every_checkpoint names the point where a scenario fails") {
  for (int fails_at : {1, 2, 3}) {
    int runs = 0;
    auto const error = support::thrown_by([&] {
      cancel_at_every_checkpoint([&] {
        ++runs;
        for (int step = 1; step <= 3; ++step) {
          try {
            trio::sleep(1s);
          } catch (trio::Cancelled const&) {
            if (step == fails_at) throw support::KeyError("broken");
            throw;
          }
        }
      });
    });
    auto const* report = trio::exception_cast<std::runtime_error>(error);
    REQUIRE(report);
    CHECK(std::string(report->what()).find("disturbed at cancel point ") == 0);
    CHECK(std::string(report->what()).find("broken") != std::string::npos);
    auto const* nested = dynamic_cast<std::nested_exception const*>(report);
    REQUIRE(nested);
    CHECK(trio::exception_cast<support::KeyError>(nested->nested_ptr()));
    CHECK(runs >= fails_at);
  }
}

TEST_CASE("cancel_at_every_checkpoint tries every point once and ends with an undisturbed run") {
  std::vector<int> steps_done;
  auto const points = cancel_at_every_checkpoint([&] {
    steps_done.push_back(0);
    for (int i = 0; i < 5; ++i) {
      trio::sleep(1s);
      ++steps_done.back();
    }
  });
  CHECK(points + 1 == steps_done.size());
  CHECK(std::is_sorted(steps_done.begin(), steps_done.end()));
  CHECK(steps_done.back() == 5);
  // Cancelled at each of the five, whatever other tasks' points there are besides.
  for (int done = 0; done < 5; ++done)
    CHECK(std::count(steps_done.begin(), steps_done.end(), done) >= 1);
}

TEST_CASE("cancel_at_every_checkpoint gives up on a scenario that fails without being cancelled") {
  CHECK_THROWS_AS(cancel_at_every_checkpoint([] { throw support::KeyError(); }),
                  std::runtime_error);
}

TEST_CASE("interrupt_at_every_checkpoint interrupts at every point, and lets no other error pass") {
  std::vector<int> steps_done;
  auto const points = interrupt_at_every_checkpoint([&] {
    steps_done.push_back(0);
    for (int i = 0; i < 5; ++i) {
      trio::sleep(1s);
      ++steps_done.back();
    }
  });
  CHECK(points + 1 == steps_done.size());
  for (int done = 0; done < 5; ++done)
    CHECK(std::count(steps_done.begin(), steps_done.end(), done) >= 1);
  CHECK_THROWS_AS(interrupt_at_every_checkpoint([] {
                    try {
                      trio::sleep(1s);
                    } catch (trio::Interrupted const&) {
                      throw support::KeyError();
                    }
                  }),
                  std::runtime_error);
  CHECK_THROWS_AS(interrupt_at_every_checkpoint([] {
                    try {
                      trio::sleep(1s);
                    } catch (trio::Interrupted const&) {}
                  }),
                  std::runtime_error);
}
