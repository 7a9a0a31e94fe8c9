// SPDX-License-Identifier: BSL-1.0
// What checks streams must notice each promise that a stream breaks: here is one for each.
#include "stream_kinds.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using trio::lowlevel::checkpoint;

namespace {

// What one end of a stream does otherwise than the good stream that it is given.
struct Flaws {
  std::function<void(trio::SendStream& to, std::string_view data)> send_all = {};
  std::function<void(trio::SendStream& to)> wait = {};
  std::function<std::size_t(trio::ReceiveStream& from, std::span<char> buffer)> receive_some = {};
  std::function<void(trio::HalfCloseableStream& stream)> send_eof = {};
  std::function<void(trio::Closeable& end)> close = {};
  std::function<void(trio::Closeable& end)> aclose = {};
};

class Flawed final : public trio::HalfCloseableStream {
 public:
  Flawed(trio::testing::MemoryStream stream, Flaws flaws)
      : stream_(std::move(stream)), flaws_(std::move(flaws)) {}

  void send_all(std::string_view data) override {
    if (flaws_.send_all)
      flaws_.send_all(stream_, data);
    else
      stream_.send_all(data);
  }

  void wait_send_all_might_not_block() override {
    if (flaws_.wait)
      flaws_.wait(stream_);
    else
      stream_.wait_send_all_might_not_block();
  }

  using ReceiveStream::receive_some;

  std::size_t receive_some(std::span<char> buffer) override {
    return flaws_.receive_some ? flaws_.receive_some(stream_, buffer)
                               : stream_.receive_some(buffer);
  }

  void send_eof() override {
    if (flaws_.send_eof)
      flaws_.send_eof(stream_);
    else
      stream_.send_eof();
  }

  void close() override {
    if (flaws_.close)
      flaws_.close(stream_);
    else
      stream_.close();
  }

  void aclose() override {
    if (flaws_.aclose)
      flaws_.aclose(stream_);
    else
      stream_.aclose();
  }

 private:
  trio::testing::MemoryStream stream_;
  Flaws flaws_;
};

struct FlawsOfBoth {
  Flaws sender = {};
  Flaws receiver = {};
};

// What the flaws of a pair must know.
struct State {
  bool closed = false;
  bool at_end = false;
  bool sending = false;
  std::size_t received = 0;
  trio::Lock lock = {};
};

// A promise, and how a pair of streams breaks it.
struct Breach {
  char const* promise;
  std::function<FlawsOfBoth(std::shared_ptr<State> const& state)> flaws;
};

// `clogged`: each end has to wait until what it has sent is received.
template <class S>
trio::testing::TwoWayStreams<S> flawed_streams(Breach const& breach, bool clogged) {
  auto streams = trio::testing::memory_stream_pair(clogged ? 1 : trio::unbounded);
  if (clogged) {
    streams.first.send_all("x");
    streams.second.send_all("x");
  }
  auto flaws = breach.flaws(std::make_shared<State>());
  return {std::make_unique<Flawed>(std::move(streams.first), std::move(flaws.sender)),
          std::make_unique<Flawed>(std::move(streams.second), std::move(flaws.receiver))};
}

void check_one_way(Breach const& breach) {
  auto const make = [&](bool clogged) {
    auto streams = flawed_streams<trio::HalfCloseableStream>(breach, clogged);
    return support::OneWayStreams{std::move(streams.first), std::move(streams.second)};
  };
  trio::testing::check_one_way_stream([&] { return make(false); }, [&] { return make(true); });
}

void check_two_way(Breach const& breach) {
  using trio::Stream;
  trio::testing::check_two_way_stream([&] { return flawed_streams<Stream>(breach, false); },
                                      [&] { return flawed_streams<Stream>(breach, true); });
}

void check_half_closeable(Breach const& breach) {
  using trio::HalfCloseableStream;
  trio::testing::check_half_closeable_stream(
      [&] { return flawed_streams<HalfCloseableStream>(breach, false); },
      [&] { return flawed_streams<HalfCloseableStream>(breach, true); });
}

// Each breach is noticed by `check`, by a sentence that begins with the promise.
void check_notices(void (*check)(Breach const&), std::vector<Breach> const& breaches) {
  for (auto const& breach : breaches) {
    auto const error = support::thrown_by(
        [&] { support::run([&] { trio::fail_after(1h, [&] { check(breach); }); }); });
    REQUIRE_MESSAGE(error, std::string(breach.promise));
    auto const* broken = trio::exception_cast<std::logic_error>(error);
    REQUIRE_MESSAGE(broken, (breach.promise + (": " + trio::describe(error))));
    auto const begin = std::string("trio: checking a stream: ") + breach.promise;
    CHECK_MESSAGE(std::string(broken->what()).starts_with(begin),
                  (breach.promise + (": " + trio::describe(error))));
  }
}

// What an end does as it should, and notes it, for its other side to behave badly from then on.
auto noting_aclose(std::shared_ptr<State> const& state) {
  return [state](auto& end) {
    state->closed = true;
    end.aclose();
  };
}

auto noting_close(std::shared_ptr<State> const& state) {
  return [state](auto& end) {
    state->closed = true;
    end.close();
  };
}

auto noting_eof(std::shared_ptr<State> const& state) {
  return [state](auto& stream) {
    state->at_end = true;
    stream.send_eof();
  };
}

constexpr char const* breaks =
    "once the receiver is closed, send_all throws BrokenResourceError "
    "before long";
constexpr char const* one_sends = "two tasks that send, or wait to, get BusyResourceError";

// Calls `fn`; whoever gets BusyResourceError of it waits instead.
template <class F> void not_busy(F const& fn) {
  try {
    return fn();
  } catch (trio::BusyResourceError const&) {}
  trio::sleep_forever();
}

// Calls `fn`; to whoever finds it closed meanwhile, nothing has happened.
template <class E, class F> void without(F const& fn) {
  try {
    return fn();
  } catch (E const&) {}
  trio::lowlevel::cancel_shielded_checkpoint();
}

}  // namespace

TEST_CASE("a stream without flaws passes every check") {
  Breach const none{"", [](auto const&) { return FlawsOfBoth(); }};
  for (auto check : {check_one_way, check_two_way, check_half_closeable})
    support::run([&] { check(none); });
}

TEST_CASE("checking a stream tells which promise it breaks") {
  check_notices(
      check_one_way,
      {
          {"send_all is a checkpoint, always",
           [](auto const&) -> FlawsOfBoth {
             return {.sender = {.send_all = [](auto& to, auto data) {
                       if (!data.empty()) to.send_all(data);
                     }}};
           }},
          {"receive_some is a checkpoint, always",
           [](auto const& state) -> FlawsOfBoth {
             return {.receiver = {.receive_some = [state](auto& from, auto buffer) {
                       if (state->at_end) return std::size_t{0};
                       auto const received = from.receive_some(buffer);
                       state->at_end = received == 0;
                       return received;
                     }}};
           }},
          {"what is sent is received, and an empty piece means nothing",
           [](auto const&) -> FlawsOfBoth {
             return {.sender = {.send_all = [](auto& to, auto data) {
                       to.send_all(data.empty() ? "\n" : data);
                     }}};
           }},
          {"what is sent is received, and an empty piece means nothing",
           [](auto const&) -> FlawsOfBoth {
             return {.sender = {.send_all = [](auto& to, auto data) {
                       to.send_all(data.find('\0') == data.npos ? data : " ");
                     }}};
           }},
          {"to receive into no room throws std::invalid_argument",
           [](auto const&) -> FlawsOfBoth {
             return {.receiver = {.receive_some = [](auto& from, auto buffer) {
                       if (!buffer.empty()) return from.receive_some(buffer);
                       checkpoint();
                       return std::size_t{0};
                     }}};
           }},
          {"two tasks that receive get BusyResourceError",
           [](auto const& state) -> FlawsOfBoth {
             return {.receiver = {.receive_some = [state](auto& from, auto buffer) {
                       auto const held = state->lock.guard();
                       return from.receive_some(buffer);
                     }}};
           }},
          {"wait_send_all_might_not_block is a checkpoint, always",
           [](auto const&) -> FlawsOfBoth { return {.sender = {.wait = [](auto&) {}}}; }},
          {breaks,
           [](auto const&) -> FlawsOfBoth {
             return {.sender = {.send_all = [](auto& to, auto data) {
                       without<trio::BrokenResourceError>([&] {
                         checkpoint();
                         to.send_all(data);
                       });
                     }}};
           }},
          {"once the receiver is closed, send_all throws BrokenResourceError before long; it has "
           "thrown trio::ClosedResourceError",
           [](auto const&) -> FlawsOfBoth {
             return {.sender = {.send_all = [](auto& to, auto data) {
                       try {
                         to.send_all(data);
                       } catch (trio::BrokenResourceError const&) {
                         throw trio::ClosedResourceError("at this end");
                       }
                     }}};
           }},
          {"aclose() is a checkpoint, always",
           [](auto const&) -> FlawsOfBoth {
             return {.receiver = {.aclose = [](auto& end) { end.close(); }}};
           }},
          {"a closed receiver throws ClosedResourceError",
           [](auto const&) -> FlawsOfBoth {
             return {.receiver = {.receive_some = [](auto& from, auto buffer) {
                       std::size_t received = 0;
                       without<trio::ClosedResourceError>(
                           [&] { received = from.receive_some(buffer); });
                       return received;
                     }}};
           }},
          {"close() is no checkpoint",
           [](auto const&) -> FlawsOfBoth {
             return {.receiver = {.close = [](auto& end) {
                       end.close();
                       checkpoint();
                     }}};
           }},
          {"a closed sender throws ClosedResourceError, even if there is nothing to send",
           [](auto const&) -> FlawsOfBoth {
             return {.sender = {.send_all = [](auto& to, auto data) {
                       data.empty() ? checkpoint() : to.send_all(data);
                     }}};
           }},
          {"a closed sender throws ClosedResourceError from wait_send_all_might_not_block",
           [](auto const&) -> FlawsOfBoth {
             return {.sender = {.wait = [](auto& to) {
                       without<trio::ClosedResourceError>(
                           [&] { to.wait_send_all_might_not_block(); });
                     }}};
           }},
          {"what was sent before the end is received",
           [](auto const& state) -> FlawsOfBoth {
             return {.sender = {.aclose = noting_aclose(state)},
                     .receiver = {.receive_some = [state](auto& from, auto buffer) {
                       auto const received = from.receive_some(buffer);
                       return state->closed ? 0 : received;
                     }}};
           }},
          {"then comes the end, again and again",
           [](auto const& state) -> FlawsOfBoth {
             return {.receiver = {.receive_some = [state](auto& from, auto buffer) {
                       auto const received = from.receive_some(buffer);
                       return received == 0 && std::exchange(state->at_end, true) ? 1 : received;
                     }}};
           }},
          {"the end wakes who receives",
           [](auto const& state) -> FlawsOfBoth {
             return {.sender = {.aclose = noting_aclose(state)},
                     .receiver = {.receive_some = [state](auto& from, auto buffer) {
                       bool const closed = state->closed;
                       auto const received = from.receive_some(buffer);
                       return state->closed == closed ? received : 1;
                     }}};
           }},
          {"after close(), the receiver gets the end or BrokenResourceError, and no data",
           [](auto const& state) -> FlawsOfBoth {
             return {.sender = {.close = noting_close(state)},
                     .receiver = {.receive_some = [state](auto& from, auto buffer) {
                       auto const received = from.receive_some(buffer);
                       return state->closed ? 1 : received;
                     }}};
           }},
          {breaks,
           [](auto const&) -> FlawsOfBoth { return {.receiver = {.close = [](auto&) {}}}; }},
          {"a cancelled aclose() closes the sender all the same",
           [](auto const&) -> FlawsOfBoth {
             return {.sender = {.aclose = [](auto& end) {
                       checkpoint();
                       end.close();
                     }}};
           }},
          {"a cancelled aclose() closes the receiver all the same",
           [](auto const&) -> FlawsOfBoth {
             return {.receiver = {.aclose = [](auto& end) {
                       checkpoint();
                       end.close();
                     }}};
           }},
          {"a cancelled send_all throws",
           [](auto const&) -> FlawsOfBoth {
             return {.sender = {.send_all = [](auto& to, auto data) {
                       without<trio::Cancelled>([&] { to.send_all(data); });
                     }}};
           }},
          {"a cancelled receive_some throws",
           [](auto const&) -> FlawsOfBoth {
             return {.receiver = {.receive_some = [](auto& from, auto buffer) {
                       std::size_t received = 0;
                       without<trio::Cancelled>([&] { received = from.receive_some(buffer); });
                       return received;
                     }}};
           }},
          {"what was cancelled before it began has sent nothing",
           [](auto const&) -> FlawsOfBoth {
             return {.sender = {.send_all = [](auto& to, auto data) {
                       trio::shielded([&] { to.send_all(data); });
                       checkpoint();
                     }}};
           }},
          {"closing the receiver wakes receive_some with ClosedResourceError",
           [](auto const& state) -> FlawsOfBoth {
             auto const close = noting_close(state);
             return {.receiver = {.receive_some =
                                      [state](auto& from, auto buffer) {
                                        bool const closed = state->closed;
                                        std::size_t received = 0;
                                        auto const receive = [&] {
                                          received = from.receive_some(buffer);
                                        };
                                        if (closed)
                                          receive();
                                        else
                                          without<trio::ClosedResourceError>(receive);
                                        return received;
                                      },
                                  .close = close,
                                  .aclose =
                                      [close](auto& end) {
                                        close(end);
                                        checkpoint();
                                      }}};
           }},
      });
}

TEST_CASE("checking a stream that is clogged tells which promise it breaks") {
  // A sender that does so while another of its functions is in use, too.
  auto const second = [](auto const& state, auto const& fn) {
    if (state->sending) return not_busy(fn);
    state->sending = true;
    support::AtEnd const done{[&] { state->sending = false; }};
    fn();
  };
  check_notices(
      check_one_way,
      {
          {"wait_send_all_might_not_block waits until something is received",
           [](auto const&) -> FlawsOfBoth {
             return {.sender = {.wait = [](auto& to) { to.send_all(""); }}};
           }},
          {one_sends,
           [](auto const&) -> FlawsOfBoth {
             return {.sender = {.wait = [](auto& to) {
                       not_busy([&] { to.wait_send_all_might_not_block(); });
                     }}};
           }},
          {one_sends,
           [](auto const&) -> FlawsOfBoth {
             return {.sender = {.send_all = [](auto& to, auto data) {
                       not_busy([&] { to.send_all(data); });
                     }}};
           }},
          {one_sends,
           [second](auto const& state) -> FlawsOfBoth {
             return {.sender = {.send_all = [state, second](auto& to, auto data) {
                       second(state, [&] { to.send_all(data); });
                     }}};
           }},
          {one_sends,
           [](auto const& state) -> FlawsOfBoth {
             return {.sender = {.send_all =
                                    [state](auto& to, auto data) {
                                      state->sending = true;
                                      support::AtEnd const done{[&] { state->sending = false; }};
                                      to.send_all(data);
                                    },
                                .wait =
                                    [state](auto& to) {
                                      auto const wait = [&] { to.wait_send_all_might_not_block(); };
                                      state->sending ? not_busy(wait) : wait();
                                    }}};
           }},
          {"closing the sender wakes send_all with ClosedResourceError",
           [](auto const& state) -> FlawsOfBoth {
             return {.sender = {.send_all = [state](auto& to, auto data) {
                       // What is closed already says so.
                       to.send_all("");
                       without<trio::ClosedResourceError>([&] { to.send_all(data); });
                     }}};
           }},
          {"closing the sender wakes wait_send_all_might_not_block with ClosedResourceError",
           [](auto const&) -> FlawsOfBoth {
             return {.sender = {.wait = [](auto& to) {
                       to.send_all("");
                       without<trio::ClosedResourceError>(
                           [&] { to.wait_send_all_might_not_block(); });
                     }}};
           }},
      });
}

TEST_CASE("checking a stream both ways tells which promise it breaks") {
  auto const after_half = [](std::shared_ptr<State> const& state, auto const& then) {
    return [state, then](trio::ReceiveStream& from, std::span<char> buffer) {
      auto const received = from.receive_some(buffer);
      state->received += received;
      return state->received > 500'000 ? then(buffer, received) : received;
    };
  };
  check_notices(check_two_way,
                {
                    // Not in the first of the two directions.
                    {"what is sent is received, and an empty piece means nothing",
                     [](auto const&) -> FlawsOfBoth {
                       return {.receiver = {.send_all = [](auto& to, auto data) {
                                 to.send_all(data.empty() ? "\n" : data);
                               }}};
                     }},
                    {"a stream does not end before everything has arrived",
                     [after_half](auto const& state) -> FlawsOfBoth {
                       return {.sender = {.receive_some = after_half(state, [](auto, std::size_t) {
                                            return std::size_t{0};
                                          })}};
                     }},
                    {"what arrives is what was sent, in order",
                     [after_half](auto const& state) -> FlawsOfBoth {
                       return {.receiver = {.receive_some = after_half(
                                                state, [](auto buffer, std::size_t received) {
                                                  if (received > 0) buffer[0] ^= 1;
                                                  return received;
                                                })}};
                     }},
                });
}

TEST_CASE("checking a half-closeable stream tells which promise it breaks") {
  check_notices(check_half_closeable,
                {
                    {"send_eof is a checkpoint, always",
                     [](auto const& state) -> FlawsOfBoth {
                       return {.sender = {.send_eof = [state](auto& stream) {
                                 if (!std::exchange(state->at_end, true)) stream.send_eof();
                               }}};
                     }},
                    {"what was sent before send_eof is received",
                     [](auto const& state) -> FlawsOfBoth {
                       return {.sender = {.send_eof = noting_eof(state)},
                               .receiver = {.receive_some = [state](auto& from, auto buffer) {
                                 auto const received = from.receive_some(buffer);
                                 return state->at_end ? 0 : received;
                               }}};
                     }},
                    {"after send_eof comes the end",
                     [](auto const& state) -> FlawsOfBoth {
                       return {.sender = {.send_eof = noting_eof(state)},
                               .receiver = {.receive_some = [state](auto& from, auto buffer) {
                                 auto const received = from.receive_some(buffer);
                                 return state->at_end && received == 0 ? 1 : received;
                               }}};
                     }},
                    {"after send_eof, send_all throws ClosedResourceError",
                     [](auto const& state) -> FlawsOfBoth {
                       return {.sender = {.send_all =
                                              [state](auto& to, auto data) {
                                                state->at_end ? checkpoint() : to.send_all(data);
                                              },
                                          .send_eof = noting_eof(state)}};
                     }},
                    {one_sends,
                     [](auto const&) -> FlawsOfBoth {
                       return {.sender = {.send_eof = [](auto& stream) {
                                 not_busy([&] { stream.send_eof(); });
                               }}};
                     }},
                });
}

TEST_CASE("a stream that hangs is left to a timeout") {
  Breach const breach{"", [](auto const&) -> FlawsOfBoth {
                        return {.sender = {.wait = [](auto& to) {
                                  try {
                                    return to.wait_send_all_might_not_block();
                                  } catch (trio::BrokenResourceError const&) {}
                                  trio::sleep_forever();
                                }}};
                      }};
  support::run([&] {
    CHECK_THROWS_AS(trio::fail_after(1h, [&] { check_one_way(breach); }), trio::TooSlowError);
  });
}
