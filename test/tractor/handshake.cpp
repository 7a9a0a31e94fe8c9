// SPDX-License-Identifier: BSL-1.0
// The first words on a link, and who is not let in for what they say.
#include "../../lib/tractor/ipc/transport.hpp"
#include "../../lib/tractor/runtime/local_actor.hpp"
#include "../../lib/tractor/runtime/peer.hpp"
#include "../../lib/tractor/wire/message.hpp"
#include "support.hpp"

#include <tractor/wire_errors.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using support::thrown_by;
using tractor::ActorId;
using tractor::LocalActor;
using tractor::runtime::Peer;

namespace {

// What the other side says, and what it was told.
struct Lines {
  std::deque<tractor::wire::Message> theirs = {};
  std::vector<tractor::wire::Message> ours = {};
  std::optional<tractor::ipc::PeerCredentials> credentials = {};
};

class Link final : public tractor::ipc::Link {
 public:
  explicit Link(Lines& lines) : lines_(lines) {}

  void wait_connected() override { trio::lowlevel::checkpoint(); }

  void send(tractor::ipc::Lane, tractor::ipc::Frame frame) override {
    lines_.ours.push_back(tractor::wire::decode_header(frame.header.bytes()));
  }

  tractor::ipc::Frame receive() override {
    trio::lowlevel::checkpoint();
    if (lines_.theirs.empty()) throw tractor::TransportClosed("they have said all");
    auto header = tractor::wire::encode_header(lines_.theirs.front());
    lines_.theirs.pop_front();
    return {std::move(header), {}};
  }

  void close(trio::Duration) override {}

  std::optional<tractor::ipc::PeerCredentials> credentials() const override {
    return lines_.credentials;
  }

 private:
  Lines& lines_;
};

ActorId const expected{"expected", "5ca1ab1e", 4711};

tractor::wire::Hello hello(ActorId const& sender, std::uint16_t version) {
  tractor::wire::Hello hello;
  hello.version = version;
  hello.sender = sender;
  return hello;
}

// Runs `body` with a peer that hears `lines`.
template <class Body> void with_peer(Lines& lines, Peer::Side side, Body body) {
  trio::run([&] {
    auto const actor = LocalActor::begin(std::make_shared<LocalActor>(tractor::RootOptions()));
    body(std::make_shared<Peer>(*actor, std::make_unique<Link>(lines), side));
    actor->end();
  });
}

std::string what(std::exception_ptr const& error) {
  auto const* known = trio::exception_cast<std::exception>(error);
  return known ? known->what() : "";
}

// What the one is told, and the other throws, who says this in its greeting.
std::string refusal_of(Lines lines) {
  std::string reason;
  with_peer(lines, Peer::Side::listened, [&](std::shared_ptr<Peer> const& peer) {
    auto const error = thrown_by([&] { peer->await_introduction(expected); });
    CHECK(trio::exception_cast<tractor::DecodeError>(error));
    CHECK(!peer->is_ready());
    REQUIRE(lines.ours.size() == 1);
    auto const* refusal = std::get_if<tractor::wire::Refusal>(&lines.ours.front());
    REQUIRE(refusal);
    CHECK(refusal->reason == what(error));
    reason = refusal->reason;
  });
  return reason;
}

bool contains(std::string const& text, std::string const& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a peer of another protocol version is refused, and both versions are named") {
  constexpr std::uint16_t other = tractor::wire::protocol_version + 1;
  std::string const reason = refusal_of({.theirs = {hello(expected, other)}});
  CAPTURE(reason);
  CHECK(contains(reason, "speaks protocol version " + std::to_string(other)));
  CHECK(contains(reason, "we speak " + std::to_string(tractor::wire::protocol_version)));
}

TEST_CASE("a refused peer throws the reason") {
  Lines lines{.theirs = {tractor::wire::Refusal{"you speak version 2, we speak 1"}}};
  with_peer(lines, Peer::Side::connected, [&](std::shared_ptr<Peer> const& peer) {
    auto const error = thrown_by([&] { peer->introduce_ourselves(); });
    CHECK(trio::exception_cast<tractor::TransportClosed>(error));
    CHECK(contains(what(error), "you speak version 2, we speak 1"));
    REQUIRE(lines.ours.size() == 1);
    CHECK(std::holds_alternative<tractor::wire::Hello>(lines.ours.front()));
  });
}

TEST_CASE("a peer that is somebody else, by its own word or the kernel's, is refused") {
  constexpr std::uint16_t version = tractor::wire::protocol_version;
  ActorId other = expected;
  SUBCASE("of another id") {
    other.uuid = "beefed";
    CHECK(contains(refusal_of({.theirs = {hello(other, version)}}), "somebody else than"));
  }
  SUBCASE("of another process") {
    other.pid = 4712;
    CHECK(contains(refusal_of({.theirs = {hello(other, version)}}), "somebody else than"));
  }
  SUBCASE("who has stolen its identity") {
    CHECK(contains(refusal_of({.theirs = {hello(expected, version)},
                               .credentials = {{.uid = 0, .pid = 4712}}}),
                   "somebody else than"));
  }
  SUBCASE("which does not introduce itself") {
    CHECK(contains(refusal_of({.theirs = {tractor::wire::Ping{1}}}), "expected a Hello"));
  }
}

TEST_CASE("a peer that is who it should be is welcome") {
  Lines lines{.theirs = {hello(expected, tractor::wire::protocol_version)},
              .credentials = {{.uid = 0, .pid = expected.pid}}};
  with_peer(lines, Peer::Side::listened, [&](std::shared_ptr<Peer> const& peer) {
    peer->await_introduction(expected);
    CHECK(peer->is_ready());
    CHECK(peer->id() == expected);
    CHECK(!peer->is_same_build());
    REQUIRE(lines.ours.size() == 1);
    CHECK(std::holds_alternative<tractor::wire::Welcome>(lines.ours.front()));
  });
}
