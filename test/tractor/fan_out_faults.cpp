// SPDX-License-Identifier: BSL-1.0
// Topics between processes, some of which are stopped, killed, or not what they say. E, F and a
// number stand for the scenarios and faults of the project's list.
#include "../../lib/tractor/ipc/fan_out.hpp"
#include "../../lib/tractor/ipc/transport.hpp"
#include "../../lib/tractor/ipc/zmq_context.hpp"
#include "../../lib/tractor/wire/fan_out.hpp"
#include "../sanitized.hpp"
#include "../temporary_directory.hpp"
#include "fan_out.hpp"

#include <trio/errors.hpp>

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.hpp>

using namespace fan_out_test;
using support::group_thrown_by;
using support::resident;
using support::Stopped;

namespace {

// Until cancelled.
void listen_to(Topic<int> topic, std::vector<std::string> subjects) {
  for (auto& [subject, value, number] :
       topic.subscribe({.subjects = subjects, .on_lag = trio::OnLag::skip}))
    if ((subject == "even") != (value % 2 == 0)) throw std::runtime_error("not what was wanted");
}

std::vector<std::string> wanted_from(Publisher<int> const& publisher) {
  std::vector<std::string> subjects;
  for (auto const& [subject, count] : publisher.subjects()) subjects.push_back(subject);
  return subjects;
}

}  // namespace

TEST_CASE(
    "E9: what is wanted shrinks as subscribers leave, and the publisher stops with the last") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      Publisher<int> numbers("numbers");
      auto const start = [&](std::vector<std::string> subjects) {
        auto portal = nursery.start_actor("listener", tractor::expose<listen_to>);
        return std::pair(portal, std::move(subjects));
      };
      auto const even = start({"even"});
      auto const odd = start({"odd"});
      auto const both = start({"even", "odd"});
      int published = 0;
      trio::open_nursery([&](trio::Nursery& tasks) {
        for (auto const* listener : {&even, &odd, &both})
          tasks.start_soon([&, listener] {
            // Its actor is cancelled.
            CHECK_THROWS_AS(listener->first.run<listen_to>(numbers.topic(), listener->second),
                            tractor::ContextCancelled);
          });
        numbers.wait_for_subscribers(3);
        tasks.start_soon([&] {
          numbers.while_wanted([&] {
            for (;; ++published) numbers.publish(published % 2 == 0 ? "even" : "odd", published);
          });
        });
        auto const leaves = [&](auto const& listener) {
          auto const there = numbers.subscribers().size();
          CHECK(listener.first.cancel_actor());
          while (numbers.subscribers().size() == there) trio::lowlevel::checkpoint();
        };
        CHECK(wanted_from(numbers) == std::vector<std::string>{"even", "odd"});
        leaves(both);
        CHECK(wanted_from(numbers) == std::vector<std::string>{"even", "odd"});
        leaves(even);
        CHECK(wanted_from(numbers) == std::vector<std::string>{"odd"});
        leaves(odd);
      });
      CHECK(published > 0);
      CHECK(numbers.subscribers().empty());
    });
  });
}

namespace {

struct Tally {
  std::uint64_t received = 0;
  std::uint64_t missed = 0;
  int lags = 0;
  // Whether each number was the one before, and what was missing, further.
  bool exact = true;
  bool ended = false;

  template <class Archive> void serialize(Archive& archive) {
    archive(received, missed, lags, exact, ended);
  }
};

// Until it knows of `count`, or until the end.
Tally tally(Topic<tractor::Bytes> topic, std::uint64_t count) {
  Tally tally;
  auto subscription = topic.subscribe();
  while (tally.received + tally.missed < count) {
    try {
      auto const item = subscription.next();
      if (!item) {
        tally.ended = true;
        break;
      }
      tally.exact &= item->number == tally.received + tally.missed;
      ++tally.received;
    } catch (tractor::Lagged const& lagged) {
      tally.missed += lagged.missed;
      ++tally.lags;
    }
  }
  return tally;
}

}  // namespace

TEST_CASE(
    "F14: a subscriber that is stopped loses exactly what it is told; the publisher neither "
    "waits nor grows") {
  constexpr std::uint64_t count = 100'000;
  constexpr std::size_t size = 1000;
  in_root([&] {
    tractor::open_nursery([&](tractor::ActorNursery& nursery) {
      Publisher<tractor::Bytes> loads("loads");
      auto slow = nursery.run_in_actor<tally>(loads.topic(), count);
      auto quick = loads.topic().subscribe({.on_lag = trio::OnLag::skip});
      loads.wait_for_subscribers(2);
      tractor::Bytes const load(std::string(size, 'x'));
      std::size_t const before = resident();
      {
        Stopped const stopped(slow.actor().pid);
        for (std::uint64_t i = 0; i < count; ++i) loads.publish(load);
      }
      // A thousand messages for each of two connections, at both of their ends here, and what was
      // kept for the quick one, beside ten megabytes. AddressSanitizer keeps for a while what was
      // freed.
      constexpr std::size_t queued = 4 * 1000 * size;
      if constexpr (!support::sanitized) CHECK(resident() < before + queued + 10'000'000);
      // Nothing is published any more: that the last are missing is told nevertheless.
      auto const told = trio::fail_after(30s, [&] { return slow.result(); });
      CHECK(told.received + told.missed == count);
      CHECK(told.missed > 0);
      CHECK(told.lags > 0);
      CHECK(told.exact);
      catch_up(quick);
      while (quick.statistics().waiting > 0) quick.receive();
      CHECK_THROWS_AS(quick.receive_nowait(), trio::WouldBlock);
      CHECK(quick.statistics().received + quick.statistics().missed == count);
    });
  });
}

TEST_CASE("F14: the end of a publisher waits until slow subscribers know what they have lost") {
  constexpr std::uint64_t count = 20'000;
  in_root([&] {
    tractor::open_nursery([&](tractor::ActorNursery& nursery) {
      std::optional<Publisher<tractor::Bytes>> loads(std::in_place, "loads");
      auto slow = nursery.run_in_actor<tally>(loads->topic(), count + 1);
      loads->wait_for_subscribers();
      {
        Stopped const stopped(slow.actor().pid);
        for (std::uint64_t i = 0; i < count; ++i)
          loads->publish(tractor::Bytes(std::string(1000, 'x')));
        loads.reset();
      }
      auto const told = trio::fail_after(30s, [&] { return slow.result(); });
      CHECK(told.received + told.missed == count);
      CHECK(told.missed > 0);
      CHECK(told.exact);
      CHECK(told.ended);
    });
  });
}

namespace {

std::unique_ptr<Publisher<int>> published_here;

Topic<int> publish_here() {
  published_here = std::make_unique<Publisher<int>>("numbers");
  return published_here->topic();
}

void publish_numbers(int count) {
  for (int i = 0; i < count; ++i) published_here->publish(i);
}

}  // namespace

TEST_CASE("a publisher that is killed: its subscribers get an error within a second, not silence") {
  for (auto const overrun : {Overrun::drop_oldest, Overrun::wait}) {
    auto const group = group_thrown_by([&] {
      in_root([&] {
        tractor::open_nursery([&](tractor::ActorNursery& nursery) {
          auto portal =
              nursery.start_actor("publisher", tractor::expose<publish_here, publish_numbers>);
          auto const topic = portal.run<publish_here>();
          auto subscription = topic.subscribe({.overrun = overrun});
          portal.run<publish_numbers>(3);
          // What was sent before has left before this is answered.
          portal.run<publish_numbers>(0);
          CHECK(subscription.receive().value == 0);
          // This body is cancelled, as an actor of its nursery dies.
          trio::shielded([&] {
            kill(portal.actor().pid, SIGKILL);
            trio::fail_after(1s, [&] {
              // What had come is there.
              CHECK(subscription.receive().value == 1);
              CHECK(subscription.receive().value == 2);
              CHECK_THROWS_AS(subscription.receive(), tractor::TransportClosed);
              CHECK_THROWS_AS(topic.subscribe(), tractor::TransportClosed);
            });
          });
        });
      });
    });
    CHECK(group.find<tractor::ActorDied>());
  }
}

namespace {

void subscribe_and_hang(Topic<int> topic, Overrun overrun) {
  auto const subscription = topic.subscribe({.window = 1, .overrun = overrun});
  trio::sleep_forever();
}

}  // namespace

TEST_CASE("a subscriber that is killed is forgotten, and holds nobody back any more") {
  for (auto const overrun : {Overrun::drop_oldest, Overrun::wait}) {
    auto const group = group_thrown_by([&] {
      in_root([&] {
        tractor::open_nursery([&](tractor::ActorNursery& nursery) {
          Publisher<int> numbers("numbers");
          auto portal = nursery.run_in_actor<subscribe_and_hang>(numbers.topic(), overrun);
          numbers.wait_for_subscribers();
          CHECK(numbers.subscribers()[0].actor == portal.actor());
          numbers.publish(0);
          trio::shielded([&] {
            kill(portal.actor().pid, SIGKILL);
            trio::fail_after(1s, [&] {
              numbers.publish(1);
              numbers.wait_until_unwanted();
            });
          });
          CHECK(numbers.subscribers().empty());
        });
      });
    });
    CHECK(group.find<tractor::ActorDied>());
  }
}

namespace {

tractor::detail::TopicHandle handle_of(Topic<int> const& topic) {
  return tractor::decode<tractor::detail::TopicHandle>(tractor::encode(topic).bytes());
}

// Writes to a Unix socket what is no ZeroMQ.
void write_garbage(std::string const& endpoint) {
  std::string const path = endpoint.substr(std::string("ipc://").size());
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  int const fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(connect(fd, static_cast<sockaddr const*>(static_cast<void const*>(&address)),
                  sizeof address) == 0);
  std::string const garbage(5000, 'g');
  CHECK(send(fd, garbage.data(), garbage.size(), MSG_NOSIGNAL) > 0);
  close(fd);
}

}  // namespace

namespace {

// Has the word, but minds no rule.
class Stranger {
 public:
  explicit Stranger(tractor::detail::TopicHandle const& handle)
      : socket_(context_, zmq::socket_type::xsub) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::plain_username, handle.word);
    socket_.connect(handle.endpoint);
  }

  void say(std::string_view text) { socket_.send(zmq::buffer(text), zmq::send_flags::none); }

  // As a true subscriber; returns the answer.
  tractor::wire::State ask(tractor::wire::Ask const& ask) {
    auto const topic = "p" + ask.subscriber + std::string(1, '\0');
    say("\1" + topic);
    ask_unheard(ask);
    for (;;) {
      zmq::message_t heard;
      while (!socket_.recv(heard, zmq::recv_flags::dontwait)) trio::lowlevel::checkpoint();
      // It may have chosen to hear all.
      if (!heard.to_string_view().starts_with(topic)) continue;
      std::span<std::byte const> const bytes(heard.data<std::byte>(), heard.size());
      return tractor::decode<tractor::wire::State>(
          bytes.subspan(topic.size() + sizeof(tractor::ipc::Stamp)));
    }
  }

  void ask_unheard(tractor::wire::Ask const& ask) {
    say("\2" + std::string(tractor::Bytes(tractor::encode(ask)).text()));
  }

  void leave(std::string const& id) { say(std::string("\0p", 2).append(id).append(1, '\0')); }

 private:
  zmq::context_t context_;
  zmq::socket_t socket_;
};

}  // namespace

TEST_CASE("F17: a stranger, garbage, and a subscriber that talks nonsense disturb nobody") {
  in_root([] {
    Publisher<int> numbers("numbers");
    auto const handle = handle_of(numbers.topic());
    auto subscription = numbers.topic().subscribe();
    auto works = [&, next = 0]() mutable {
      numbers.publish(next);
      CHECK(subscription.receive().value == next++);
      CHECK(numbers.subscribers().size() == 1);
    };
    works();
    write_garbage(handle.endpoint);
    works();
    // One that does not know the word.
    auto wrong = handle;
    wrong.word = "wrong";
    CHECK_THROWS_AS(Topic<int>(wrong).subscribe(), tractor::TransportClosed);
    works();
    // One that does, and misuses it.
    Stranger stranger(handle);
    auto const say = [&](std::string const& text) {
      stranger.say(text);
      // The answer shows that it has been heard.
      stranger.ask({.subscriber = "stranger", .subjects = {"a", "a"}});
      CHECK(numbers.subjects() == std::map<std::string, std::size_t>{{"a", 1}});
      stranger.leave("stranger");
      while (numbers.subscribers().size() > 1) trio::lowlevel::checkpoint();
      works();
    };
    say("nonsense");
    say(std::string("\1", 1));
    say(std::string("\2", 1));
    say(std::string("\2\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10));
    say(std::string("\0", 1));
    // One that asks without listening, from the start or any more, would never be missed.
    stranger.ask_unheard({.subscriber = "ghost"});
    stranger.ask_unheard({.subscriber = "stranger"});
    trio::fail_after(10s * support::slowness(), [&] { say("nonsense"); });
  });
}

TEST_CASE("F17: a subscriber that says it has read more than was sent is dropped") {
  in_root([] {
    Publisher<int> numbers("numbers");
    Stranger stranger(handle_of(numbers.topic()));
    tractor::wire::Ask const ask{
        .subscriber = "stranger", .all = true, .window = 1, .window_bytes = 1};
    auto const state = stranger.ask(ask);
    // Whoever asks again before it has come gets no second link.
    stranger.say(std::string("\2").append(tractor::Bytes(tractor::encode(ask)).text()));
    trio::open_nursery([&](trio::Nursery& nursery) {
      auto const transport = tractor::ipc::make_transport(nursery, {});
      auto const link = transport->connect(state.endpoint, state.identity);
      trio::fail_after(5s, [&] {
        link->wait_connected();
        numbers.wait_for_subscribers();
        numbers.publish(1);
        link->send(tractor::ipc::Lane::control, {tractor::encode(tractor::wire::Taken{2, 2}), {}});
        numbers.publish(2);
        numbers.wait_until_unwanted();
      });
      nursery.cancel_scope().cancel();
    });
  });
}

namespace {

// A publisher that is none of ours, and says what the test makes it say.
zmq::socket_t open_impostor(tractor::ipc::ZmqContext& context) {
  context.door().open("impostor", "word");
  zmq::socket_t impostor(context.raw(), zmq::socket_type::xpub);
  impostor.set(zmq::sockopt::linger, 0);
  impostor.set(zmq::sockopt::plain_server, true);
  impostor.set(zmq::sockopt::zap_domain, "impostor");
  impostor.bind("tcp://127.0.0.1:*");
  return impostor;
}

tractor::detail::TopicHandle handle_at(zmq::socket_t& impostor) {
  tractor::detail::TopicHandle handle;
  handle.name = "impostor";
  handle.endpoint = impostor.get(zmq::sockopt::last_endpoint);
  handle.word = "word";
  handle.schema = tractor::schema_of<int>();
  return handle;
}

// Waits for one; returns its own topic, with the zero byte behind it.
std::string subscriber_at(zmq::socket_t& impostor) {
  zmq::message_t heard;
  for (;;) {
    if (impostor.recv(heard, zmq::recv_flags::dontwait)) {
      auto const text = heard.to_string();
      if (text.starts_with("\1p")) return text.substr(1);
    }
    trio::lowlevel::checkpoint();
  }
}

}  // namespace

TEST_CASE("F17: a publisher that talks nonsense loses its subscribers, and they are told") {
  in_root([] {
    tractor::ipc::ZmqContext context;
    auto impostor = open_impostor(context);
    auto const handle = handle_at(impostor);
    for (std::string const& nonsense :
         {std::string(), std::string("x"), std::string(1, '\0'), std::string(40, '\0')}) {
      CAPTURE(nonsense.size());
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([&] {
          auto const error =
              thrown_by([&] { trio::fail_after(5s, [&] { Topic<int>(handle).subscribe(); }); });
          CHECK((trio::exception_cast<tractor::TransportClosed>(error) ||
                 trio::exception_cast<tractor::DecodeError>(error)));
        });
        auto const topic = subscriber_at(impostor);
        impostor.send(zmq::buffer(topic + nonsense), zmq::send_flags::none);
      });
    }
  });
}

TEST_CASE("F17: a publisher that sends more than there is room for is left") {
  in_root([] {
    namespace wire = tractor::wire;
    tractor::ipc::ZmqContext context;
    auto impostor = open_impostor(context);
    auto const handle = handle_at(impostor);
    support::TemporaryDirectory const directory;
    trio::open_nursery([&](trio::Nursery& nursery) {
      auto const transport = tractor::ipc::make_transport(nursery, {.directory = directory.path()});
      auto const listener = transport->listen("impostor");
      auto const link = listener->expect("somebody");
      trio::Event left;
      trio::Event read;
      nursery.start_soon([&] {
        auto subscription = Topic<int>(handle).subscribe({.window = 2, .overrun = Overrun::wait});
        left.wait();
        CHECK(subscription.receive().value == 0);
        CHECK(subscription.receive().value == 1);
        CHECK_THROWS_AS(subscription.receive(), tractor::TransportClosed);
        read.set();
      });
      auto const topic = subscriber_at(impostor);
      wire::State state;
      state.number = 1;
      state.endpoint = listener->endpoint();
      state.identity = "somebody";
      auto const told = tractor::Bytes(tractor::encode(state));
      impostor.send(zmq::buffer(topic + std::string(sizeof(tractor::ipc::Stamp), '\0') +
                                std::string(told.text())),
                    zmq::send_flags::none);
      link->wait_connected();
      state.identity.clear();
      link->send(tractor::ipc::Lane::data, {tractor::encode(wire::OnLink(state)), {}});
      for (int i = 0; i < 4; ++i) {
        auto const number = static_cast<std::uint64_t>(i);
        link->send(tractor::ipc::Lane::data,
                   {tractor::encode(wire::OnLink(wire::Item{"", number, number})),
                    tractor::detail::encode_item<int>(i)});
      }
      trio::fail_after(5s, [&] {
        CHECK_THROWS_AS(link->receive(), tractor::TransportClosed);
        left.set();
        read.wait();
      });
      nursery.cancel_scope().cancel();
    });
  });
}
