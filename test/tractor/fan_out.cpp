// SPDX-License-Identifier: BSL-1.0
// Topics: publishers, subscribers, and exactly what the slow ones lose. E, F and a number stand for
// the scenarios and faults of the project's list.
#include "fan_out.hpp"

#include "../../lib/tractor/runtime/publisher_core.hpp"
#include "../../lib/tractor/runtime/subscription_core.hpp"

#include <trio/errors.hpp>
#include <trio/testing.hpp>

#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

using namespace fan_out_test;

namespace {

std::vector<int> collect(Topic<int> topic) {
  std::vector<int> values;
  for (auto& [subject, value, number] : topic.subscribe()) values.push_back(value);
  return values;
}

// Counts how often it is encoded.
struct Costly {
  static int& encoded() {
    static int count = 0;
    return count;
  }

  void save(tractor::OutputArchive& archive) const {
    ++encoded();
    archive(value);
  }

  void load(tractor::InputArchive& archive) { archive(value); }

  void save(tractor::SchemaArchive& archive) const { archive(value); }

  int value = 0;
};

}  // namespace

TEST_CASE("all that is published goes to every subscriber, in whichever actor, and then the end") {
  in_root([] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      Publisher<int> numbers("numbers");
      auto first = nursery.run_in_actor<collect>(numbers.topic());
      auto second = nursery.run_in_actor<collect>(numbers.topic());
      auto here = numbers.topic().subscribe();
      numbers.wait_for_subscribers(3);
      CHECK(numbers.subscribers().size() == 3);
      for (int i = 0; i < 500; ++i) numbers.publish(i);
      numbers.close();
      CHECK(first.result() == up_to(500));
      CHECK(second.result() == up_to(500));
      CHECK(values_of(here) == up_to(500));
      CHECK_THROWS_AS(here.receive(), trio::EndOfChannel);
      CHECK_THROWS_AS(numbers.publish(1), trio::ClosedResourceError);
    });
  });
}

TEST_CASE("a subscription is confirmed when subscribe returns: what is published next comes") {
  in_root([] {
    Publisher<int> numbers("numbers");
    for (int i = 0; i < 20; ++i) {
      auto subscription = numbers.topic().subscribe();
      CHECK(numbers.subscribers().size() == 1);
      numbers.publish_nowait("", i);
      CHECK(subscription.receive().value == i);
      subscription.close();
      CHECK_THROWS_AS(subscription.receive(), trio::ClosedResourceError);
      numbers.wait_until_unwanted();
    }
  });
}

TEST_CASE("a subscription that comes late gets what is published from then on, without a lag") {
  in_root([] {
    Publisher<int> numbers("numbers");
    auto early = numbers.topic().subscribe();
    for (int i = 0; i < 100; ++i) numbers.publish(i);
    auto late = numbers.topic().subscribe();
    numbers.publish(100);
    numbers.close();
    CHECK(values_of(late) == std::vector{100});
    CHECK(values_of(early) == up_to(101));
  });
}

TEST_CASE("subscribers choose subjects, exactly, and can change them") {
  in_root([] {
    Publisher<int> numbers("numbers");
    auto some = numbers.topic().subscribe({.subjects = {"a", "b"}});
    auto all = numbers.topic().subscribe();
    CHECK(numbers.subjects() == std::map<std::string, std::size_t>{{"a", 1}, {"b", 1}});
    int next = 0;
    auto const publish_each = [&] {
      for (auto const* subject : {"a", "ab", "b", "", "c"}) numbers.publish(subject, next++);
    };
    publish_each();
    CHECK(some.receive().subject == "a");
    CHECK(some.receive().value == 2);
    publish_each();
    // Of those that are left, what has come already is dropped as well.
    some.follow({"b", "c"});
    CHECK(numbers.subjects() == std::map<std::string, std::size_t>{{"b", 1}, {"c", 1}});
    publish_each();
    // So that it has come: what is on its way when all subjects take the place of some is not ours.
    some.follow({"b", "c"});
    some.follow({});
    publish_each();
    numbers.close();
    CHECK(values_of(some) == std::vector{7, 12, 14, 15, 16, 17, 18, 19});
    CHECK(values_of(all) == up_to(20));
    CHECK(some.statistics().missed == 0);
  });
}

TEST_CASE("what nobody wants is not even encoded") {
  in_root([] {
    Publisher<Costly> costly("costly");
    CHECK_FALSE(costly.is_wanted("x"));
    costly.publish("x", {});
    CHECK(Costly::encoded() == 0);
    auto const topic = costly.topic();
    auto first = topic.subscribe({.subjects = {"x"}});
    auto second = topic.subscribe({.subjects = {"x"}});
    auto third = topic.subscribe({.subjects = {"x"}, .overrun = Overrun::wait});
    CHECK(costly.is_wanted("x"));
    CHECK_FALSE(costly.is_wanted("y"));
    costly.publish("x", {1});
    costly.publish("y", {2});
    CHECK(first.receive().value.value == 1);
    CHECK(second.receive().value.value == 1);
    CHECK(third.receive().value.value == 1);
    CHECK(Costly::encoded() == 1);
  });
}

TEST_CASE("E10: two tasks of one actor subscribe to different subjects, of two topics") {
  in_root([] {
    Publisher<int> numbers("numbers");
    Publisher<std::string> texts("texts");
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (std::string const subject : {"even", "odd"})
        nursery.start_soon([&, subject] {
          int expected = subject == "odd" ? 1 : 0;
          for (auto& [name, value, number] : numbers.topic().subscribe({.subjects = {subject}})) {
            CHECK(name == subject);
            CHECK(value == expected);
            expected += 2;
          }
          CHECK(expected >= 100);
        });
      nursery.start_soon([&] {
        auto subscription = texts.topic().subscribe();
        CHECK(subscription.receive().value == "text");
      });
      numbers.wait_for_subscribers(2);
      texts.wait_for_subscribers();
      for (int i = 0; i < 100; ++i) numbers.publish(i % 2 == 0 ? "even" : "odd", i);
      texts.publish("text");
      texts.wait_until_unwanted();
      numbers.close();
    });
  });
}

TEST_CASE("Lagged tells exactly how many are missing, wherever the bounded queue wraps") {
  in_root([] {
    // With room for the largest burst: nothing is to be lost on the way.
    Publisher<int> numbers("numbers", {.queue = 10'000});
    auto subscription = numbers.topic().subscribe({.window = 10});
    int published = 0;
    int expected = 0;
    for (int const burst : {10, 11, 25, 1, 0, 9, 10, 1000, 3}) {
      CAPTURE(burst);
      for (int i = 0; i < burst; ++i) numbers.publish(published++);
      catch_up(subscription);
      CHECK(subscription.statistics().waiting == std::min<std::size_t>(10, burst));
      if (burst > 10) {
        CHECK(missed_by([&] { subscription.receive(); }) == burst - 10);
        expected += burst - 10;
      }
      while (expected < published) CHECK(subscription.receive().value == expected++);
      CHECK_THROWS_AS(subscription.receive_nowait(), trio::WouldBlock);
    }
    CHECK(subscription.statistics().missed == 1 + 15 + 990);
    CHECK(subscription.statistics().received + subscription.statistics().missed == 1069);
    // What is received in between makes room.
    for (int i = 0; i < 10; ++i) numbers.publish(published++);
    catch_up(subscription);
    for (int i = 0; i < 4; ++i) CHECK(subscription.receive().value == expected++);
    for (int i = 0; i < 7; ++i) numbers.publish(published++);
    catch_up(subscription);
    CHECK(missed_by([&] { subscription.receive(); }) == 3);
    CHECK(subscription.receive().value == expected + 3);
  });
}

TEST_CASE("whoever would rather miss the newest gets the oldest, and is told behind them") {
  in_root([] {
    Publisher<int> numbers("numbers");
    auto subscription = numbers.topic().subscribe({.window = 3, .overrun = Overrun::drop_newest});
    for (int i = 0; i < 10; ++i) numbers.publish(i);
    catch_up(subscription);
    for (int i = 0; i < 3; ++i) CHECK(subscription.receive().value == i);
    // The last ones are missing: no item need come to tell.
    CHECK(missed_by([&] { subscription.receive(); }) == 7);
    numbers.publish(10);
    CHECK(subscription.receive().value == 10);
    numbers.close();
    CHECK_FALSE(subscription.next());
  });
}

TEST_CASE("a queue is bounded in bytes as well") {
  in_root([] {
    Publisher<tractor::Bytes> loads("loads");
    auto subscription = loads.topic().subscribe({.window_bytes = 1'000'000});
    for (int i = 0; i < 10; ++i) loads.publish(tractor::Bytes(std::string(300'000, char('a' + i))));
    catch_up(subscription);
    CHECK(missed_by([&] { subscription.receive(); }) == 7);
    CHECK(subscription.receive().value.text() == std::string(300'000, 'h'));
    // One alone may be larger.
    loads.publish(tractor::Bytes(std::string(2'000'000, 'z')));
    catch_up(subscription);
    CHECK(missed_by([&] { subscription.receive(); }) == 2);
    CHECK(subscription.receive().value.size() == 2'000'000);
  });
}

TEST_CASE(
    "who does not want to hear of what is missing finds it counted; who cannot do without, "
    "fails") {
  in_root([] {
    Publisher<int> numbers("numbers");
    auto patient = numbers.topic().subscribe({.window = 2, .on_lag = trio::OnLag::skip});
    auto strict = numbers.topic().subscribe({.window = 2, .overrun = Overrun::error});
    for (int i = 0; i < 5; ++i) numbers.publish(i);
    catch_up(patient);
    CHECK(patient.receive().value == 3);
    CHECK(patient.statistics().missed == 3);
    CHECK(strict.receive().value == 0);
    CHECK(strict.receive().value == 1);
    CHECK_THROWS_AS(strict.receive(), tractor::StreamOverrun);
    CHECK_THROWS_AS(strict.receive(), tractor::StreamOverrun);
    while (numbers.subscribers().size() > 1) trio::lowlevel::checkpoint();
  });
}

TEST_CASE("a subscriber that is to lose nothing holds the publisher back, for others too") {
  in_root([] {
    Publisher<int> numbers("numbers");
    auto lossless = numbers.topic().subscribe({.window = 8, .overrun = Overrun::wait});
    auto lossy = numbers.topic().subscribe({.window = 4});
    CHECK(numbers.subscribers()[0].lossless);
    CHECK_FALSE(numbers.subscribers()[1].lossless);
    for (int i = 0; i < 8; ++i) numbers.publish_nowait("", i);
    CHECK_THROWS_AS(numbers.publish_nowait("", 8), trio::WouldBlock);
    CHECK(trio::move_on_after(0s, [&] { numbers.publish(8); }).cut_short);
    catch_up(lossy);
    CHECK(missed_by([&] { lossy.receive(); }) == 4);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        for (int i = 8; i < 3000; ++i) numbers.publish(i);
        numbers.close();
      });
      CHECK(values_of(lossless) == up_to(3000));
    });
    CHECK(lossless.statistics().missed == 0);
  });
}

TEST_CASE(
    "a publisher waits only for those who want the subject, and no longer than they are there") {
  in_root([] {
    Publisher<int> numbers("numbers");
    auto slow =
        numbers.topic().subscribe({.subjects = {"slow"}, .window = 1, .overrun = Overrun::wait});
    numbers.publish("slow", 1);
    CHECK_THROWS_AS(numbers.publish_nowait("slow", 2), trio::WouldBlock);
    for (int i = 0; i < 10; ++i) numbers.publish("other", i);
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { numbers.publish("slow", 2); });
      trio::testing::wait_all_tasks_blocked();
      CHECK(slow.receive().value == 1);
      CHECK(slow.receive().value == 2);
      nursery.start_soon([&] {
        numbers.publish("slow", 3);
        numbers.publish("slow", 4);
      });
      trio::testing::wait_all_tasks_blocked();
      slow.follow({"other"});
      numbers.publish("other", 5);
      CHECK(slow.receive().value == 5);
      slow.follow({"slow"});
      numbers.publish("slow", 6);
      nursery.start_soon([&] { numbers.publish("slow", 7); });
      trio::testing::wait_all_tasks_blocked();
      slow.close();
    });
  });
}

TEST_CASE("what was on its way when it was unfollowed takes no room from what is published later") {
  in_root([] {
    Publisher<int> numbers("numbers");
    auto one = numbers.topic().subscribe({.window = 1, .overrun = Overrun::wait});
    for (int i = 0; i < 3; ++i) {
      one.follow({"even"});
      numbers.publish_nowait("even", 2 * i);
      one.follow({"odd"});
      numbers.publish("odd", 2 * i + 1);
      CHECK(one.receive().value == 2 * i + 1);
    }
  });
}

TEST_CASE("an exception that ends a publisher is told; its orderly end drops nothing") {
  in_root([] {
    for (auto const overrun : {Overrun::drop_oldest, Overrun::wait}) {
      std::optional<tractor::Subscription<int>> subscription;
      try {
        Publisher<int> numbers("numbers");
        subscription.emplace(numbers.topic().subscribe({.overrun = overrun}));
        numbers.publish(1);
        throw std::runtime_error("oops");
      } catch (std::runtime_error const&) {}
      CHECK(subscription->receive().value == 1);
      CHECK_THROWS_AS(subscription->receive(), tractor::StreamAborted);
      {
        Publisher<int> numbers("numbers");
        subscription.emplace(numbers.topic().subscribe({.overrun = overrun}));
        numbers.publish(1);
      }
      CHECK(values_of(*subscription) == std::vector{1});
    }
  });
}

TEST_CASE("while_wanted works from the first subscriber to the last") {
  in_root([] {
    Publisher<int> numbers("numbers");
    int published = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        numbers.while_wanted([&] {
          for (;;) numbers.publish(published++);
        });
      });
      trio::testing::wait_all_tasks_blocked();
      CHECK(published == 0);
      // It publishes more than they can take.
      auto first = numbers.topic().subscribe({.on_lag = trio::OnLag::skip});
      first.receive();
      auto second = numbers.topic().subscribe({.on_lag = trio::OnLag::skip});
      first.close();
      second.receive();
      CHECK(published > 0);
    });
  });
}

TEST_CASE("the body of while_wanted may close the publisher") {
  in_root([] {
    Publisher<int> numbers("numbers");
    auto subscription = numbers.topic().subscribe();
    numbers.while_wanted([&] {
      numbers.publish(1);
      numbers.close();
    });
    CHECK_FALSE(numbers.is_wanted(""));
    CHECK(values_of(subscription) == std::vector{1});
  });
}

TEST_CASE("tasks that share a subscription and leave after one item hold up no other") {
  in_root([] {
    auto const publisher =
        tractor::runtime::PublisherCore::open("numbers", tractor::schema_of<int>(), {});
    auto const subscription = tractor::runtime::SubscriptionCore::open(
        publisher->handle(), {.window = 1, .overrun = Overrun::drop_newest});
    tractor::ipc::IntakeReader& reader = *subscription;
    auto const hear = [&](std::uint64_t number) {
      reader.on_message(tractor::wire::make_topic(tractor::wire::subject_topic, ""),
                        {number, number}, tractor::detail::encode_item<int>(1));
    };
    std::size_t received = 0;
    std::size_t lags = 0;
    trio::fail_after(5s, [&] {
      trio::open_nursery([&](trio::Nursery& nursery) {
        for (int i = 0; i < 3; ++i)
          nursery.start_soon([&] {
            try {
              subscription->next();
              ++received;
            } catch (tractor::Lagged const&) {
              ++lags;
            }
          });
        trio::testing::wait_all_tasks_blocked();
        hear(0);
        trio::testing::wait_all_tasks_blocked();
        // The last one comes before the one before it was taken.
        hear(1);
        hear(2);
      });
    });
    CHECK(received + lags == 3);
    subscription->close();
    publisher->close(tractor::wire::Ending::closed);
  });
}

TEST_CASE("misuse of topics gets a sentence") {
  in_root([] {
    CHECK_THROWS_AS(Topic<int>().subscribe(), trio::MisuseError);
    CHECK_THROWS_AS(Publisher<int>("numbers", {.queue = 1}), std::invalid_argument);
    CHECK_THROWS_AS(Publisher<int>("numbers", {.queue = std::size_t(1) << 32}),
                    std::invalid_argument);
    Publisher<int> numbers("numbers");
    auto const topic = numbers.topic();
    std::string const zero(1, '\0');
    CHECK_THROWS_AS(topic.subscribe({.window = 0}), std::invalid_argument);
    CHECK_THROWS_AS(topic.subscribe({.subjects = {zero}}), std::invalid_argument);
    CHECK_THROWS_AS(numbers.publish(zero, 1), std::invalid_argument);
    // As another build would have it.
    auto const other = tractor::decode<Topic<std::string>>(tractor::encode(topic).bytes());
    CHECK_THROWS_AS(other.subscribe(), tractor::SignatureMismatch);
    numbers.close();
    CHECK_THROWS_AS(topic.subscribe(), tractor::TransportClosed);
    CHECK_THROWS_AS(numbers.wait_for_subscribers(), trio::ClosedResourceError);
  });
  CHECK_THROWS_AS(Publisher<int>("numbers"), tractor::NoRuntime);
}

TEST_CASE("waiting in a topic is cancelled without a trace") {
  in_root([] {
    Publisher<int> numbers("numbers");
    CHECK(trio::move_on_after(0s, [&] { numbers.topic().subscribe(); }).cut_short);
    CHECK(trio::move_on_after(0s, [&] {
            numbers.topic().subscribe({.overrun = Overrun::wait});
          }).cut_short);
    auto subscription = numbers.topic().subscribe();
    CHECK(trio::move_on_after(0s, [&] { subscription.receive(); }).cut_short);
    CHECK(trio::move_on_after(0s, [&] { numbers.publish(1); }).cut_short);
    numbers.publish(2);
    CHECK(subscription.receive().value == 2);
    while (numbers.subscribers().size() > 1) trio::lowlevel::checkpoint();
    subscription.close();
    numbers.wait_until_unwanted();
  });
}

TEST_CASE("a handle arrives by any way, and over tcp as well") {
  in_root({.transport = tractor::TransportKind::tcp}, [] {
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      Publisher<int> numbers("numbers");
      auto portal = nursery.run_in_actor<collect>(numbers.topic());
      numbers.wait_for_subscribers();
      CHECK(numbers.subscribers()[0].actor == portal.actor());
      for (int i = 0; i < 100; ++i) numbers.publish(i);
      numbers.close();
      CHECK(portal.result() == up_to(100));
    });
  });
}
