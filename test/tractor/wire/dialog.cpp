// SPDX-License-Identifier: BSL-1.0
// The rules of contexts, at both ends of a link that only exists here: in every order of events,
// nothing that one side may say is refused by the other, nothing is lost, and nothing gets stuck.
#include "../../../lib/tractor/wire/dialog.hpp"

#include <tractor/wire_errors.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <vector>

#include <doctest/doctest.h>

using tractor::DecodeError;
using tractor::wire::Dialog;
using tractor::wire::Grant;
using tractor::wire::Window;

namespace {

using Flow = Dialog::Flow;
using Random = std::minstd_rand;

enum class Kind { started, item, stop, abort, returned, credit, deaf, cancel, error };

struct Message {
  Kind kind;
  std::uint64_t number = 0;
  std::uint64_t bytes = 0;
  Grant grant = {};
};

// A CHECK for what happens millions of times.
void expect(bool holds, char const* what) {
  if (!holds) FAIL(what);
}

bool is_data(Kind kind) { return kind <= Kind::returned; }

// One end: the rules, and what a runtime adds to them.
struct End {
  explicit End(Dialog::Side side) : rules(side) {}

  Dialog rules;
  // What the peer has said and we have not heard: the two lanes.
  std::deque<Message> control;
  std::deque<Message> data;
  // Items that have come and were not read, by their bytes.
  std::deque<std::uint64_t> unread;
  std::uint64_t unread_bytes = 0;
  std::uint64_t next_sent = 0;
  std::uint64_t next_received = 0;
  std::uint64_t largest_item = 0;
  Window largest_window;
  bool cancelled = false;
  bool failed = false;
};

class Scene {
 public:
  explicit Scene(unsigned seed) : random_(seed + 1) { random_.discard(10); }

  void play() {
    auto const steps = pick(400);
    // Some scenes have much of one thing, so that windows fill and lanes get long.
    for (auto& weight : weights_) weight = pick(4) == 0 ? 0 : 1 + pick(8);
    for (unsigned i = 0; i < steps && !broken_; ++i) step(ends_[pick(2)]);
    if (broken_) return;
    finish();
  }

 private:
  unsigned pick(unsigned below) { return static_cast<unsigned>(random_() % below); }

  End& peer_of(End& end) { return &end == &ends_[0] ? ends_[1] : ends_[0]; }

  bool is_callee(End const& end) const { return end.rules.side() == Dialog::Side::callee; }

  void say(End& end, Message message) {
    auto& peer = peer_of(end);
    (is_data(message.kind) ? peer.data : peer.control).push_back(message);
  }

  void say(End& end, std::optional<Grant> grant) {
    if (grant) say(end, {Kind::credit, 0, 0, *grant});
  }

  // Whether the user of this end may act: the caller's body begins with Started.
  bool may_act(End const& end) const { return end.rules.is_started() && !end.rules.is_over(); }

  void step(End& end) {
    enum { hear_control, hear_data, send, read, stop, deaf, window, rare, count };

    static_assert(count == std::tuple_size_v<decltype(weights_)>);
    unsigned const action = pick(count);
    if (weights_[action] <= pick(8)) return;
    switch (action) {
      case hear_control:
        return hear(end, end.control);
      case hear_data:
        return hear(end, end.data);
      case send:
        return send_items(end, 1 + pick(20));
      case read:
        return read_items(end, 1 + pick(20));
      case stop:
        if (pick(20) == 0 && may_act(end))
          end_stream(end, pick(3) == 0 ? Flow::aborted : Flow::stopped);
        return;
      case deaf:
        if (pick(40) == 0 && may_act(end)) turn_deaf(end);
        return;
      case window:
        if (pick(5) == 0 && may_act(end)) set_window(end);
        return;
      default:
        return do_what_is_rare(end);
    }
  }

  void send_items(End& end, unsigned count) {
    for (unsigned i = 0; i < count && may_act(end) && end.rules.may_send(); ++i) {
      // Some alone are larger than a window.
      std::uint64_t const bytes = pick(50) == 0 ? pick(5'000'000) : pick(100);
      end.largest_item = std::max(end.largest_item, bytes);
      end.rules.send(bytes);
      say(end, {Kind::item, end.next_sent++, bytes});
    }
  }

  void read_items(End& end, unsigned count) {
    for (unsigned i = 0; i < count && !end.unread.empty(); ++i) {
      auto const bytes = end.unread.front();
      end.unread.pop_front();
      end.unread_bytes -= bytes;
      say(end, end.rules.read(bytes));
    }
  }

  void end_stream(End& end, Flow how) {
    if (end.rules.end_outgoing(how)) say(end, {how == Flow::stopped ? Kind::stop : Kind::abort});
  }

  void turn_deaf(End& end) {
    if (end.rules.turn_deaf()) say(end, {Kind::deaf});
    end.unread.clear();
    end.unread_bytes = 0;
  }

  void set_window(End& end) {
    Window const window{1 + pick(200), 1 + pick(2'000'000)};
    end.largest_window.items = std::max(end.largest_window.items, window.items);
    end.largest_window.bytes = std::max(end.largest_window.bytes, window.bytes);
    say(end, end.rules.set_window(window));
  }

  void do_what_is_rare(End& end) {
    if (end.rules.is_over()) return;
    if (is_callee(end)) {
      if (!end.rules.is_started()) {
        if (pick(3) == 0) start(end);
      } else if (pick(100) == 0) {
        end_dialog(end, Kind::returned);
      }
      if (pick(end.cancelled ? 5 : 200) == 0 && !end.rules.is_over()) end_dialog(end, Kind::error);
    } else {
      if (pick(60) == 0) say(end, {Kind::cancel});
      if (pick(60) == 0) leave(end);
      // What came cannot be taken: once, after it has begun.
      if (pick(100) == 0 && may_act(end) && !end.failed) {
        end.failed = true;
        say(end, {Kind::error});
      }
    }
    if (pick(500) == 0) break_link();
  }

  // The caller's body ends by an exception, or is never begun.
  void leave(End& caller) {
    end_stream(caller, Flow::aborted);
    turn_deaf(caller);
    say(caller, {Kind::cancel});
    has_left_ = true;
  }

  void start(End& callee) {
    callee.rules.start();
    say(callee, {Kind::started});
  }

  void end_dialog(End& callee, Kind how) {
    say(callee, {how});
    callee.rules.end();
  }

  void break_link() {
    broken_ = true;
    for (auto& end : ends_) {
      end.rules.end();
      CHECK_FALSE(end.rules.may_send());
      CHECK_FALSE(end.rules.turn_deaf());
      CHECK_FALSE(end.rules.end_outgoing(Flow::stopped));
      CHECK_FALSE(end.rules.set_window({1000, 10'000'000}));
    }
  }

  void hear(End& end, std::deque<Message>& lane) {
    if (lane.empty()) return;
    Message const message = lane.front();
    lane.pop_front();
    // Who knows that it is over drops what was sent before the peer knew.
    if (end.rules.is_over()) return;
    switch (message.kind) {
      case Kind::started:
        return end.rules.on_started();
      case Kind::item:
        return take(end, message);
      case Kind::stop:
        return end.rules.on_end_of_stream(Flow::stopped);
      case Kind::abort:
        return end.rules.on_end_of_stream(Flow::aborted);
      case Kind::credit:
        return end.rules.on_credit(message.grant);
      case Kind::deaf:
        return end.rules.on_deaf();
      case Kind::cancel:
        end.cancelled = true;
        return;
      case Kind::returned:
        end.rules.on_return();
        // In order, by the data lane: nothing is missing.
        if (!end.rules.is_deaf()) CHECK(end.next_received == peer_of(end).next_sent);
        return;
      case Kind::error:
        end.rules.on_error();
        if (is_callee(end)) end.cancelled = true;
    }
  }

  void take(End& end, Message const& item) {
    if (!end.rules.on_item(item.bytes)) return;
    expect(item.number == end.next_received, "an item is out of order, or missing");
    ++end.next_received;
    end.unread.push_back(item.bytes);
    end.unread_bytes += item.bytes;
    // Memory is bounded by the window, and one item beyond it.
    expect(end.unread.size() <= end.largest_window.items, "more items than the window");
    expect(end.unread_bytes <= end.largest_window.bytes + peer_of(end).largest_item,
           "more bytes than the window");
  }

  void hear_all() {
    for (bool heard = true; heard;) {
      heard = false;
      for (auto& end : ends_)
        for (auto* lane : {&end.control, &end.data})
          while (!lane->empty()) {
            hear(end, *lane);
            heard = true;
          }
    }
  }

  // From anywhere: whoever still may send gets rid of some hundred items more, and it ends.
  void finish() {
    auto& callee = ends_[1];
    hear_all();
    if (!callee.rules.is_over() && !callee.rules.is_started()) start(callee);
    hear_all();
    if (has_left_ && !callee.rules.is_over()) end_dialog(callee, Kind::error);
    hear_all();
    for (auto& end : ends_) {
      auto const wanted = end.next_sent + 300;
      auto& peer = peer_of(end);
      for (int rounds = 0;
           end.rules.is_heard() && end.rules.outgoing() == Flow::open && end.next_sent < wanted;
           ++rounds) {
        REQUIRE(rounds < 5000);
        send_items(end, 300);
        hear_all();
        read_items(peer, 300);
        hear_all();
      }
      if (!peer.rules.is_deaf() && !peer.rules.is_over())
        CHECK(peer.next_received == end.next_sent);
    }
    if (!callee.rules.is_over()) end_dialog(callee, Kind::returned);
    hear_all();
    for (auto& end : ends_) CHECK(end.rules.is_over());
  }

  Random random_;
  std::array<End, 2> ends_ = {End(Dialog::Side::caller), End(Dialog::Side::callee)};
  std::array<unsigned, 8> weights_ = {};
  bool broken_ = false;
  bool has_left_ = false;
};

}  // namespace

TEST_CASE("five thousand dialogs in random order: nothing is refused, lost, or stuck") {
  for (unsigned seed = 0; seed < 5'000; ++seed) {
    CAPTURE(seed);
    Scene(seed).play();
  }
}

TEST_CASE("whatever a peer says, it is taken or refused, and never keeps more than was granted") {
  for (unsigned seed = 0; seed < 2'000; ++seed) {
    CAPTURE(seed);
    Random random(seed + 1);
    random.discard(10);
    Dialog rules(seed % 2 ? Dialog::Side::caller : Dialog::Side::callee);
    if (seed % 4 == 0) rules.start();
    std::uint64_t unread = 0;
    try {
      for (int i = 0; i < 1000; ++i) {
        switch (random() % 12) {
          case 0:
            // What is refused ends the dialog: mostly it is to go on for a while.
            if (random() % 100 == 0 || (seed % 2 && !rules.is_started())) rules.on_started();
            break;
          case 1:
            if (random() % 50 == 0) rules.on_end_of_stream(Flow::stopped);
            break;
          case 2:
            if (random() % 100 == 0)
              rules.on_credit(
                  {static_cast<std::uint32_t>(random()), std::uint64_t(random()) << random() % 40});
            break;
          case 3:
            if (random() % 100 == 0) rules.on_deaf();
            break;
          case 4:
            if (random() % 100 == 0) rules.on_error();
            break;
          case 5:
            if (random() % 100 == 0) rules.on_return();
            break;
          case 6:
            if (unread == 0) break;
            rules.read(random() % 100);
            --unread;
            break;
          default:
            if (rules.on_item(random() % 2 ? UINT64_MAX >> random() % 64 : random() % 10)) ++unread;
            expect(unread <= Window().items, "more items than were granted");
        }
      }
    } catch (DecodeError const& error) {
      CHECK(std::string(error.what()).starts_with("tractor: a "));
    }
  }
}

namespace {

template <class Act> bool is_refused(Act act) {
  try {
    act();
  } catch (DecodeError const&) {
    return true;
  }
  return false;
}

Dialog started(Dialog::Side side) {
  Dialog rules(side);
  if (side == Dialog::Side::callee)
    rules.start();
  else
    rules.on_started();
  return rules;
}

}  // namespace

TEST_CASE("each message that cannot be is refused") {
  auto const caller = Dialog::Side::caller;
  auto const callee = Dialog::Side::callee;
  SUBCASE("from the wrong side") {
    CHECK(is_refused([&] { Dialog(callee).on_started(); }));
    CHECK(is_refused([&] { started(callee).on_return(); }));
  }
  SUBCASE("before the callee has started") {
    for (auto const side : {caller, callee}) {
      CHECK(is_refused([&] { Dialog(side).on_item(1); }));
      CHECK(is_refused([&] { Dialog(side).on_end_of_stream(Flow::stopped); }));
      CHECK(is_refused([&] { Dialog(side).on_end_of_stream(Flow::aborted); }));
    }
    CHECK(is_refused([&] { Dialog(caller).on_return(); }));
    CHECK(is_refused([&] { Dialog(callee).on_credit({1, 1}); }));
    CHECK(is_refused([&] { Dialog(callee).on_deaf(); }));
    CHECK(is_refused([&] { Dialog(callee).on_error(); }));
    // Those of the control lane may overtake the Started.
    CHECK_FALSE(is_refused([&] { Dialog(caller).on_credit({1, 1}); }));
    CHECK_FALSE(is_refused([&] { Dialog(caller).on_deaf(); }));
    CHECK_FALSE(is_refused([&] { Dialog(caller).on_error(); }));
  }
  SUBCASE("a second time, or after the end") {
    for (auto const side : {caller, callee}) {
      Dialog rules = started(side);
      rules.on_end_of_stream(Flow::stopped);
      CHECK(is_refused([&] { rules.on_item(1); }));
      CHECK(is_refused([&] { rules.on_end_of_stream(Flow::stopped); }));
      CHECK(is_refused([&] { rules.on_end_of_stream(Flow::aborted); }));
      rules.on_deaf();
      CHECK(is_refused([&] { rules.on_deaf(); }));
      CHECK(is_refused([&] { rules.on_credit({1, 1}); }));
    }
    Dialog rules = started(caller);
    CHECK(is_refused([&] { rules.on_started(); }));
  }
  SUBCASE("beyond what was granted") {
    Dialog rules = started(caller);
    for (unsigned i = 0; i < Window().items; ++i) CHECK(rules.on_item(1));
    CHECK(is_refused([&] { rules.on_item(1); }));
    Dialog bytes = started(caller);
    CHECK(bytes.on_item(Window().bytes - 1));
    CHECK(bytes.on_item(1000));
    CHECK(is_refused([&] { bytes.on_item(1); }));
  }
  SUBCASE("credit beyond all measure") {
    Dialog rules = started(caller);
    CHECK(is_refused([&] { rules.on_credit({1, UINT64_MAX}); }));
    CHECK(is_refused([&] { rules.on_credit({1, std::uint64_t(1) << 60}); }));
  }
}

TEST_CASE("what was read is granted anew in quarters of the window") {
  Dialog rules = started(Dialog::Side::caller);
  CHECK_FALSE(rules.set_window({40, 1000}));
  // First the window shrinks to its size.
  for (int i = 0; i < 64; ++i) rules.on_item(1);
  std::uint32_t granted = 0;
  for (int i = 0; i < 64; ++i)
    if (auto const grant = rules.read(1)) {
      CHECK(grant->items == 10);
      granted += grant->items;
    }
  CHECK(granted == 40);
  // And not one more than that.
  for (int i = 0; i < 40; ++i) CHECK(rules.on_item(1));
  CHECK(is_refused([&] { rules.on_item(1); }));
}
