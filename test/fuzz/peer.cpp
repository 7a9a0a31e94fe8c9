// SPDX-License-Identifier: BSL-1.0
// Whatever a peer says, in the handshake and after, while we call it and it calls us: each of ours
// ends, and nothing is left of it. The bytes choose messages, so that most make sense; some are as
// raw as they come.
#include "../../lib/tractor/runtime/peer.hpp"

#include "../../lib/tractor/ipc/transport.hpp"
#include "../../lib/tractor/runtime/local_actor.hpp"
#include "input.hpp"

#include <tractor/tractor.hpp>
#include <trio/testing.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using tractor::runtime::Peer;
namespace wire = tractor::wire;

namespace {

using fuzz::Input;

tractor::ActorId const hostile_id{.name = "hostile", .uuid = "0123", .pid = 1};

struct Numbers {
  using Started = int;
  using ToCallee = int;
  using ToCaller = int;
};

int twice(int number) { return 2 * number; }

void forever() { trio::sleep_forever(); }

int echo(tractor::Context<Numbers>& ctx, int count) {
  ctx.started(count);
  auto stream = ctx.open_stream({.window = 4});
  for (int item : stream) stream.send(item);
  return count;
}

wire::FunctionRef choose_function(Input& input) {
  switch (input.choose(5)) {
    case 0:
      return wire::refer_to(tractor::function_id<twice>());
    case 1:
      return wire::refer_to(tractor::function_id<forever>());
    case 2:
    case 3:
      return wire::refer_to(tractor::function_id<echo>());
    default:
      return {.name = input.text(), .record = input.take<std::uint64_t>()};
  }
}

tractor::BoxedError choose_error(Input& input) {
  tractor::BoxedError error{.type = "hostile::Error", .message = input.text()};
  if (input.choose(3) == 0) error.cancellation = tractor::Cancellation{.canceller = hostile_id};
  if (input.choose(3) == 0) error.members.push_back({.type = input.text()});
  return error;
}

wire::Message choose_message(Input& input) {
  std::uint64_t const dialog = 1 + input.choose(8);
  switch (input.choose(24)) {
    case 0:
      return wire::Hello{.sender = hostile_id, .build_id = input.text()};
    case 1:
      return wire::Welcome{.sender = hostile_id};
    case 2:
      return wire::Refusal{input.text()};
    case 3:
    case 4:
    case 5:
      return wire::Start{.dialog = dialog,
                         .opens = static_cast<wire::Opens>(input.choose(3)),
                         .function = choose_function(input),
                         .remaining = input.take<std::int64_t>()};
    case 6:
      return wire::Return{dialog};
    case 7:
      return wire::Error{.dialog = dialog,
                         .kind = static_cast<wire::Error::Kind>(input.choose(4)),
                         .error = choose_error(input),
                         .because = static_cast<wire::RefusedBecause>(input.choose(6)),
                         .after_started = input.choose(2) == 1};
    case 8:
      return wire::Cancel{.dialog = dialog, .reason = input.text()};
    case 9:
      return wire::CancelActor{.canceller = hostile_id};
    case 10:
      return wire::Goodbye{};
    case 11:
      return wire::Farewell{};
    case 12:
      return wire::Ping{dialog};
    case 13:
      return wire::Pong{dialog};
    case 14:
    case 15:
      return wire::Started{dialog};
    case 16:
    case 17:
      return wire::Yield{dialog};
    case 18:
      return wire::Yields{dialog};
    case 19:
      return wire::Stop{dialog};
    case 20:
      return wire::Abort{dialog};
    case 21:
    case 22:
      return wire::Credit{dialog, input.take<std::uint32_t>(), input.take<std::uint64_t>()};
    default:
      return wire::Deaf{dialog};
  }
}

// The peer: it says what the bytes have it say, and is gone when there are no more.
class HostileLink final : public tractor::ipc::Link {
 public:
  HostileLink(Input input, trio::CancelScope& ours) : input_(input), ours_(ours) {}

  void wait_connected() override { trio::lowlevel::checkpoint(); }

  void send(tractor::ipc::Lane, tractor::ipc::Frame) override { throw_if_over(); }

  tractor::ipc::Frame receive() override {
    trio::lowlevel::checkpoint();
    for (;;) {
      if (input_.is_empty()) is_over_ = true;
      throw_if_over();
      switch (input_.choose(8)) {
        case 0:
          trio::sleep(1s);
          break;
        case 1:
          if (input_.choose(4) == 0) ours_.cancel();
          break;
        case 2:
          return {bytes(), bytes()};
        default: {
          auto header = wire::encode_header(choose_message(input_));
          return {std::move(header),
                  input_.choose(2) ? tractor::encode(int(input_.choose(9))) : bytes()};
        }
      }
    }
  }

  void close(trio::Duration) override { is_over_ = true; }

  std::optional<tractor::ipc::PeerCredentials> credentials() const override { return {}; }

 private:
  void throw_if_over() const {
    if (is_over_) throw tractor::TransportClosed("the peer is gone");
  }

  tractor::Buffer bytes() { return tractor::Buffer::adopt(input_.text()); }

  Input input_;
  trio::CancelScope& ours_;
  bool is_over_ = false;
};

// Ours fail as they may; what may not fail is that they end.
template <class Work> void attempt(Work&& work) {
  try {
    work();
  } catch (trio::BaseExceptionGroup const& group) {
    if (group.find<trio::TrioInternalError>()) __builtin_trap();
  } catch (trio::TrioInternalError const&) {
    __builtin_trap();
  } catch (std::exception const&) {}
}

void work_with(std::shared_ptr<Peer> const& peer) {
  auto const portal = tractor::Portal(peer).with({.cancel_patience = 10s});
  trio::open_nursery([&](trio::Nursery& nursery) {
    nursery.start_soon([&] { attempt([&] { portal.run<twice>(1); }); });
    nursery.start_soon([&] {
      attempt([&] {
        portal.open_context<echo>(3, [](auto& ctx, int) {
          auto stream = ctx.open_stream({.window = 2});
          for (int item = 0; item < 3; ++item) stream.send(item);
          stream.send_eof();
          while (stream.next()) {}
        });
      });
    });
  });
}

void meet(tractor::LocalActor& actor, Input input) {
  auto const side = input.choose(2) ? Peer::Side::connected : Peer::Side::listened;
  trio::CancelScope ours;
  auto const peer = std::make_shared<Peer>(actor, std::make_unique<HostileLink>(input, ours), side);
  bool is_served = false;
  attempt([&] {
    if (side == Peer::Side::connected)
      peer->introduce_ourselves();
    else
      peer->await_introduction(hostile_id);
    is_served = true;
    actor.service_nursery().start_soon([peer] { peer->serve(); });
    ours.enter([&] { work_with(peer); });
    peer->say_goodbye(10s);
  });
  if (is_served) peer->over().wait();
  if (peer->open_calls() != 0) __builtin_trap();
  while (peer->open_tasks() > 0) trio::sleep(1ms);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  auto clock = trio::testing::MockClock::autojumping();
  trio::run({.clock = &clock}, [&] {
    tractor::RootOptions options;
    options.expose = tractor::expose<twice, forever, echo>;
    options.log_level = tractor::LogLevel::off;
    auto const actor = tractor::LocalActor::begin(std::make_shared<tractor::LocalActor>(options));
    auto const ended = trio::move_on_after(24h, [&] {
      meet(*actor, Input(data, size));
      actor->end();
    });
    if (ended.cut_short) __builtin_trap();
  });
  return 0;
}
