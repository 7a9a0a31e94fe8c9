// SPDX-License-Identifier: BSL-1.0
// Topics between processes, some of which are stopped, killed, or not what they say. E, F and a
// number stand for the scenarios and faults of the project's list.
#include "../../lib/tractor/ipc/zmq_context.hpp"
#include "../sanitized.hpp"
#include "fan_out.hpp"

#include <trio/errors.hpp>

#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.hpp>

using namespace fan_out_test;
using support::group_thrown_by;

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

// Of this process, in bytes.
std::size_t resident() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t pages = 0;
  statm >> total >> pages;
  return pages * static_cast<std::size_t>(getpagesize());
}

// Stopped as long as this lives.
class Stopped {
 public:
  explicit Stopped(pid_t pid) : pid_(pid) { kill(pid_, SIGSTOP); }

  Stopped(Stopped const&) = delete;
  Stopped& operator=(Stopped const&) = delete;

  ~Stopped() { kill(pid_, SIGCONT); }

 private:
  pid_t pid_;
};

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
      // A thousand messages at each side of two connections, and what was kept for the quick one.
      // AddressSanitizer keeps for a while what was freed.
      if constexpr (!support::sanitized) CHECK(resident() < before + 10'000'000);
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
    zmq::context_t context;
    zmq::socket_t stranger(context, zmq::socket_type::xsub);
    stranger.set(zmq::sockopt::linger, 0);
    stranger.set(zmq::sockopt::plain_username, handle.word);
    stranger.connect(handle.endpoint);
    auto const say = [&](std::string const& text) {
      stranger.send(zmq::buffer(text), zmq::send_flags::none);
      // So that it has been heard.
      auto other = numbers.topic().subscribe();
      other.close();
      while (numbers.subscribers().size() > 1) trio::lowlevel::checkpoint();
      works();
    };
    say("nonsense");
    say(std::string("\1", 1));
    say(std::string("\2", 1));
    say(std::string("\2\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10));
    say(std::string("\0", 1));
  });
}

TEST_CASE("F17: a publisher that talks nonsense loses its subscribers, and they are told") {
  in_root([] {
    tractor::ipc::ZmqContext context;
    context.door().open("impostor", "word");
    zmq::socket_t impostor(context.raw(), zmq::socket_type::xpub);
    impostor.set(zmq::sockopt::linger, 0);
    impostor.set(zmq::sockopt::plain_server, true);
    impostor.set(zmq::sockopt::zap_domain, "impostor");
    impostor.bind("tcp://127.0.0.1:*");
    tractor::detail::TopicHandle handle;
    handle.name = "impostor";
    handle.endpoint = impostor.get(zmq::sockopt::last_endpoint);
    handle.word = "word";
    handle.schema = tractor::schema_of<int>();
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
        zmq::message_t heard;
        std::string topic;
        while (topic.empty()) {
          if (impostor.recv(heard, zmq::recv_flags::dontwait)) {
            auto const text = heard.to_string();
            if (text.starts_with("\1p")) topic = text.substr(1);
          }
          trio::lowlevel::checkpoint();
        }
        impostor.send(zmq::buffer(topic + nonsense), zmq::send_flags::none);
      });
    }
  });
}
