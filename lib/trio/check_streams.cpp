// SPDX-License-Identifier: BSL-1.0
#include <trio/cancel_scope.hpp>
#include <trio/detail/guarded.hpp>
#include <trio/errors.hpp>
#include <trio/exception_group.hpp>
#include <trio/lowlevel.hpp>
#include <trio/nursery.hpp>
#include <trio/testing.hpp>
#include <trio/testing/streams.hpp>

#include <algorithm>
#include <exception>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace trio::testing {

namespace {

constexpr std::string_view some_bytes = "some bytes";

struct BrokenPromise : std::logic_error {
  explicit BrokenPromise(std::string const& promise)
      : std::logic_error("trio: checking a stream: " + promise) {}
};

void require(bool kept, char const* promise) {
  if (!kept) throw BrokenPromise(promise);
}

// Runs one of the checks. A promise that is found broken in a task is thrown as it is: the first,
// if there are several.
template <class Check> void run_check(Check&& check) {
  std::exception_ptr const error = trio::detail::caught_from(check);
  if (!error) return;
  if (auto const* group = exception_cast<ExceptionGroup>(error))
    if (auto const* broken = group->find<BrokenPromise>()) throw BrokenPromise(*broken);
  std::rethrow_exception(error);
}

// `body` must throw an E, alone or as the only kind in a group.
template <class E, class Body> void require_throw(Body&& body, char const* promise) {
  std::exception_ptr const error = trio::detail::caught_from(body);
  require(error != nullptr, promise);
  auto const* group = exception_cast<BaseExceptionGroup>(error);
  for (auto const& thrown : group ? group->leaves() : std::vector{error}) {
    if (exception_cast<E>(thrown)) continue;
    // A cancellation is none of the stream's.
    if (!exception_cast<std::exception>(thrown) || exception_cast<BrokenPromise>(thrown))
      std::rethrow_exception(error);
    throw BrokenPromise(promise + ("; it has thrown " + describe(thrown)));
  }
}

template <class Body> lowlevel::CheckpointCounts checkpoints_in(Body&& body) {
  auto const before = lowlevel::current_checkpoint_counts();
  body();
  auto const after = lowlevel::current_checkpoint_counts();
  return {after.schedule_points - before.schedule_points,
          after.cancel_points - before.cancel_points};
}

template <class Body> void require_checkpoint(Body&& body, char const* promise) {
  auto const counts = checkpoints_in(body);
  require(counts.schedule_points > 0 && counts.cancel_points > 0, promise);
}

void close(Closeable& end) {
  auto const counts = checkpoints_in([&] { end.close(); });
  require(counts.schedule_points == 0 && counts.cancel_points == 0, "close() is no checkpoint");
}

void aclose(Closeable& end) {
  require_checkpoint([&] { end.aclose(); }, "aclose() is a checkpoint, always");
}

// Runs both side by side, to their end.
template <class A, class B> void both(A&& a, B&& b) {
  open_nursery([&](Nursery& nursery) {
    nursery.start_soon(std::ref(a));
    nursery.start_soon(std::ref(b));
  });
}

void send(SendStream& stream, std::string_view data) {
  require_checkpoint([&] { stream.send_all(data); }, "send_all is a checkpoint, always");
}

std::string receive(ReceiveStream& stream, std::size_t most) {
  std::string received;
  require_checkpoint([&] { received = stream.receive_some(most); },
                     "receive_some is a checkpoint, always");
  return received;
}

void wait_for_room(SendStream& stream) {
  require_checkpoint([&] { stream.wait_send_all_might_not_block(); },
                     "wait_send_all_might_not_block is a checkpoint, always");
}

void send_until_broken(SendStream& stream) {
  std::string const data(100, 'x');
  require_throw<BrokenResourceError>(
      [&] {
        for (int i = 0; i < 20'000; ++i) send(stream, data);
      },
      "once the receiver is closed, send_all throws BrokenResourceError before long");
}

void check_transfer(OneWayStreams const& ends) {
  auto const transfer = [&](std::string_view first, std::string_view second) {
    both(
        [&] {
          send(*ends.sender, first);
          send(*ends.sender, second);
        },
        [&] {
          require(receive(*ends.receiver, 1) == std::string(first) + std::string(second),
                  "what is sent is received, and an empty piece means nothing");
        });
  };
  transfer("x", "");
  transfer("", "y");
  // Neither text nor zero-terminated.
  transfer(std::string_view("\0", 1), "");
  require_throw<std::invalid_argument>([&] { static_cast<void>(ends.receiver->receive_some(0)); },
                                       "to receive into no room throws std::invalid_argument");
}

// Of two waits, the second must be refused, at once.
template <class A, class B>
void check_exclusive(A const& first, B const& second, char const* promise) {
  require_throw<BusyResourceError>(
      [&] {
        open_nursery([&](Nursery& nursery) {
          nursery.start_soon(std::ref(first));
          wait_all_tasks_blocked();
          nursery.start_soon(std::ref(second));
          wait_all_tasks_blocked();
          nursery.cancel_scope().cancel();
        });
      },
      promise);
}

void check_receiving_is_exclusive(OneWayStreams const& ends) {
  auto const receive_one = [&] { static_cast<void>(receive(*ends.receiver, 1)); };
  check_exclusive(receive_one, receive_one, "two tasks that receive get BusyResourceError");
}

void check_room_while_receiving(OneWayStreams const& ends) {
  open_nursery([&](Nursery& nursery) {
    nursery.start_soon([&] { static_cast<void>(receive(*ends.receiver, 1)); });
    wait_for_room(*ends.sender);
    nursery.cancel_scope().cancel();
  });
}

void check_use_after_close(OneWayStreams const& ends) {
  both([&] { send_until_broken(*ends.sender); }, [&] { aclose(*ends.receiver); });
  // It stays broken.
  send_until_broken(*ends.sender);
  require_throw<ClosedResourceError>([&] { static_cast<void>(ends.receiver->receive_some(4096)); },
                                     "a closed receiver throws ClosedResourceError");
  aclose(*ends.receiver);
  close(*ends.receiver);

  aclose(*ends.sender);
  for (std::string_view data : {some_bytes, std::string_view()})
    require_throw<ClosedResourceError>(
        [&] { ends.sender->send_all(data); },
        "a closed sender throws ClosedResourceError, even if there is nothing to send");
  require_throw<ClosedResourceError>(
      [&] { ends.sender->wait_send_all_might_not_block(); },
      "a closed sender throws ClosedResourceError from wait_send_all_might_not_block");
  aclose(*ends.sender);
  close(*ends.sender);
}

void check_end_after_data(OneWayStreams const& ends) {
  both(
      [&] {
        send(*ends.sender, "y");
        aclose(*ends.sender);
      },
      [&] {
        wait_all_tasks_blocked();
        require(receive(*ends.receiver, 1) == "y", "what was sent before the end is received");
        for (int i = 0; i < 2; ++i)
          require(receive(*ends.receiver, 1).empty(), "then comes the end, again and again");
      });
}

void check_end_while_receiving(OneWayStreams const& ends) {
  both([&] { require(receive(*ends.receiver, 1).empty(), "the end wakes who receives"); },
       [&] {
         wait_all_tasks_blocked();
         ends.sender->aclose();
       });
}

void check_abrupt_end(OneWayStreams const& ends) {
  close(*ends.sender);
  catching(
      [&] {
        require(receive(*ends.receiver, 1).empty(),
                "after close(), the receiver gets the end or BrokenResourceError, and no data");
      },
      [](BrokenResourceError const&) {});
}

void check_abrupt_break(OneWayStreams const& ends) {
  close(*ends.receiver);
  send_until_broken(*ends.sender);
}

void check_cancelled_aclose(OneWayStreams const& ends) {
  for (Closeable* end :
       {static_cast<Closeable*>(ends.receiver.get()), static_cast<Closeable*>(ends.sender.get())}) {
    CancelScope scope;
    scope.cancel();
    static_cast<void>(scope.enter([&] { end->aclose(); }));
  }
  require_throw<ClosedResourceError>([&] { ends.sender->send_all(some_bytes); },
                                     "a cancelled aclose() closes the sender all the same");
  require_throw<ClosedResourceError>([&] { static_cast<void>(ends.receiver->receive_some(4096)); },
                                     "a cancelled aclose() closes the receiver all the same");
}

void check_cancelled_use(OneWayStreams const& ends) {
  auto const is_cut_short = [](auto&& operation) {
    CancelScope scope;
    scope.cancel();
    return scope.enter(operation).cut_short;
  };
  require(is_cut_short([&] { ends.sender->send_all("x"); }), "a cancelled send_all throws");
  require(is_cut_short([&] { static_cast<void>(ends.receiver->receive_some(1)); }),
          "a cancelled receive_some throws");
  both([&] { ends.sender->aclose(); },
       [&] {
         wait_all_tasks_blocked();
         require(receive(*ends.receiver, 1).empty(),
                 "what was cancelled before it began has sent nothing");
         ends.receiver->aclose();
       });
}

// Waiting in `operation`, a task hears that `end` is closed.
template <class Operation>
void check_close_wakes(Closeable& end, Operation&& operation, char const* promise) {
  open_nursery([&](Nursery& nursery) {
    nursery.start_soon([&] {
      wait_all_tasks_blocked();
      end.close();
    });
    require_throw<ClosedResourceError>(operation, promise);
  });
}

template <class A, class B> void check_sending_is_exclusive(A const& first, B const& second) {
  check_exclusive(first, second, "two tasks that send, or wait to, get BusyResourceError");
}

void check_room_comes(OneWayStreams const& ends) {
  bool received = false;
  open_nursery([&](Nursery& nursery) {
    nursery.start_soon([&] {
      wait_all_tasks_blocked();
      received = true;
      for (;;) static_cast<void>(ends.receiver->receive_some(16384));
    });
    wait_for_room(*ends.sender);
    require(received, "wait_send_all_might_not_block waits until something is received");
    nursery.cancel_scope().cancel();
  });
}

void check_break_ends_waiting(OneWayStreams const& ends) {
  open_nursery([&](Nursery& nursery) {
    nursery.start_soon([&] {
      wait_all_tasks_blocked();
      ends.receiver->close();
    });
    // Now, and when it starts after that.
    for (int i = 0; i < 2; ++i)
      catching([&] { ends.sender->wait_send_all_might_not_block(); },
               [](BrokenResourceError const&) {});
  });
}

void check_clogged(std::function<OneWayStreams()> const& make_clogged) {
  auto const with_ends = [&](auto&& check) {
    OneWayStreams const ends = make_clogged();
    auto const send_all = [&] { ends.sender->send_all(some_bytes); };
    auto const wait = [&] { ends.sender->wait_send_all_might_not_block(); };
    check(ends, send_all, wait);
  };
  with_ends([](OneWayStreams const& ends, auto&&, auto&&) { check_room_comes(ends); });
  with_ends([](OneWayStreams const& ends, auto&&, auto&&) { check_break_ends_waiting(ends); });
  // A new pair each: to cancel a send_all may leave a stream of no more use.
  with_ends([](auto&&, auto&&, auto&& wait) { check_sending_is_exclusive(wait, wait); });
  with_ends([](auto&&, auto&& send, auto&& wait) { check_sending_is_exclusive(wait, send); });
  with_ends([](auto&&, auto&& send, auto&& wait) { check_sending_is_exclusive(send, wait); });
  with_ends([](auto&&, auto&& send, auto&&) { check_sending_is_exclusive(send, send); });
  with_ends([](OneWayStreams const& ends, auto&& send_all, auto&&) {
    check_close_wakes(*ends.sender, send_all,
                      "closing the sender wakes send_all with ClosedResourceError");
  });
  with_ends([](OneWayStreams const& ends, auto&&, auto&& wait) {
    check_close_wakes(
        *ends.sender, wait,
        "closing the sender wakes wait_send_all_might_not_block with ClosedResourceError");
  });
}

// Makes two-way streams of which one way is to be checked.
template <class S>
std::function<OneWayStreams()> one_way(std::function<TwoWayStreams<S>()> const& make,
                                       bool flipped) {
  if (!make) return {};
  return [make, flipped] {
    TwoWayStreams<S> ends = make();
    if (flipped) std::swap(ends.first, ends.second);
    return OneWayStreams{std::move(ends.first), std::move(ends.second)};
  };
}

// All of `data` in pieces of random lengths.
void send_in_pieces(SendStream& stream, std::string_view data, unsigned seed) {
  std::minstd_rand random(seed);
  while (!data.empty()) {
    std::size_t const length = std::min<std::size_t>(random() % 16384 + 1, data.size());
    stream.send_all(data.substr(0, length));
    data.remove_prefix(length);
  }
}

void receive_in_pieces(ReceiveStream& stream, std::string_view expected, unsigned seed) {
  std::minstd_rand random(seed);
  std::string got;
  while (got.size() < expected.size()) {
    std::string const piece = stream.receive_some(random() % 16384 + 1);
    require(!piece.empty(), "a stream does not end before everything has arrived");
    got += piece;
  }
  require(got == expected, "what arrives is what was sent, in order");
}

void check_both_ways(Stream& first, Stream& second) {
  constexpr std::size_t size = 1 << 20;
  std::string there(size, '\0');
  std::minstd_rand random(0);
  std::ranges::generate(there, [&] { return static_cast<char>(random()); });
  std::string const back(there.rbegin(), there.rend());
  open_nursery([&](Nursery& nursery) {
    nursery.start_soon([&] { send_in_pieces(first, there, 1); });
    nursery.start_soon([&] { send_in_pieces(second, back, 2); });
    nursery.start_soon([&] { receive_in_pieces(first, back, 3); });
    nursery.start_soon([&] { receive_in_pieces(second, there, 4); });
  });
}

template <class S> void check_two_ways(std::function<TwoWayStreams<S>()> const& make,
                                       std::function<TwoWayStreams<S>()> const& make_clogged) {
  for (bool flipped : {false, true})
    check_one_way_stream(one_way(make, flipped), one_way(make_clogged, flipped));
  run_check([&] {
    TwoWayStreams<S> const ends = make();
    check_both_ways(*ends.first, *ends.second);
  });
}

void send_eof(HalfCloseableStream& stream) {
  require_checkpoint([&] { stream.send_eof(); }, "send_eof is a checkpoint, always");
}

void check_half_close(HalfCloseableStream& closing, HalfCloseableStream& other) {
  both(
      [&] {
        closing.send_all("x");
        send_eof(closing);
      },
      [&] {
        wait_all_tasks_blocked();
        require(other.receive_some(10) == "x", "what was sent before send_eof is received");
        require(other.receive_some(10).empty(), "after send_eof comes the end");
      });
  require_throw<ClosedResourceError>([&] { closing.send_all("y"); },
                                     "after send_eof, send_all throws ClosedResourceError");
  send_eof(closing);
}

void check_eof_is_exclusive(
    std::function<TwoWayStreams<HalfCloseableStream>()> const& make_clogged) {
  for (bool wait : {false, true}) {
    auto const ends = make_clogged();
    auto const waiting = [&] {
      if (wait)
        ends.first->wait_send_all_might_not_block();
      else
        ends.first->send_all(some_bytes);
    };
    check_sending_is_exclusive(waiting, [&] { ends.first->send_eof(); });
  }
}

}  // namespace

void check_one_way_stream(std::function<OneWayStreams()> const& make,
                          std::function<OneWayStreams()> const& make_clogged) {
  run_check([&] {
    OneWayStreams const ends = make();
    check_transfer(ends);
    check_receiving_is_exclusive(ends);
    check_room_while_receiving(ends);
    check_use_after_close(ends);
  });
  for (auto check : {check_end_after_data, check_end_while_receiving, check_abrupt_end,
                     check_abrupt_break, check_cancelled_aclose, check_cancelled_use})
    run_check([&] { check(make()); });
  run_check([&] {
    OneWayStreams const ends = make();
    check_close_wakes(
        *ends.receiver, [&] { static_cast<void>(ends.receiver->receive_some(10)); },
        "closing the receiver wakes receive_some with ClosedResourceError");
  });
  if (make_clogged) run_check([&] { check_clogged(make_clogged); });
}

void check_two_way_stream(std::function<TwoWayStreams<Stream>()> const& make,
                          std::function<TwoWayStreams<Stream>()> const& make_clogged) {
  check_two_ways(make, make_clogged);
}

void check_half_closeable_stream(
    std::function<TwoWayStreams<HalfCloseableStream>()> const& make,
    std::function<TwoWayStreams<HalfCloseableStream>()> const& make_clogged) {
  check_two_ways(make, make_clogged);
  run_check([&] {
    auto const ends = make();
    check_half_close(*ends.first, *ends.second);
    // And still the other way.
    check_half_close(*ends.second, *ends.first);
  });
  if (make_clogged) run_check([&] { check_eof_is_exclusive(make_clogged); });
}

}  // namespace trio::testing
