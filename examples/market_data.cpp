// SPDX-License-Identifier: BSL-1.0
// A publisher of prices, and subscribers of different speed. None of the lossy ones holds up the
// publisher or the others: who is too slow misses prices, and knows how many. The ledger must have
// every price, and is waited for.
#include <tractor/tractor.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include <fmt/format.h>

using namespace std::chrono_literals;

namespace {

struct Price {
  std::int64_t bid = 0;
  std::int64_t ask = 0;

  template <class Archive> void serialize(Archive& archive) { archive(bid, ask); }
};

// What a subscriber has made of it.
struct Account {
  std::uint64_t received = 0;
  std::uint64_t missed = 0;
  std::int64_t last_bid = 0;

  template <class Archive> void serialize(Archive& archive) { archive(received, missed, last_bid); }
};

constexpr int bursts = 60;
constexpr int burst = 50;

Account watch(tractor::Topic<Price> prices, std::string const& subject, std::size_t window,
              tractor::Overrun overrun, std::chrono::milliseconds thinking) {
  Account account;
  auto subscription =
      prices.subscribe({.subjects = {subject}, .window = window, .overrun = overrun});
  for (;;) {
    try {
      auto const price = subscription.next();
      if (!price) return account;
      ++account.received;
      account.last_bid = price->value.bid;
      trio::sleep(thinking);
    } catch (tractor::Lagged const& lagged) {
      account.missed += lagged.missed;
    }
  }
}

void amain() {
  tractor::open_nursery([](tractor::ActorNursery& nursery) {
    tractor::Publisher<Price> prices("prices");
    auto const start = [&](std::string const& name, std::size_t window, tractor::Overrun overrun,
                           std::chrono::milliseconds thinking) {
      return nursery.run_in_actor<watch>({.name = name}, prices.topic(), "EURUSD", window, overrun,
                                         thinking);
    };
    using enum tractor::Overrun;
    std::array portals{start("fast", 4096, drop_oldest, 0ms), start("slow", 10, drop_oldest, 20ms),
                       start("ledger", 16, wait, 0ms)};
    prices.wait_for_subscribers(portals.size());
    std::int64_t bid = 0;
    for (int i = 0; i < bursts; ++i) {
      for (int j = 0; j < burst; ++j, ++bid) {
        prices.publish("EURUSD", {bid, bid + 2});
        // Nobody wants these: they are not even encoded.
        prices.publish("USDJPY", {bid, bid + 3});
      }
      trio::sleep(1ms);
    }
    prices.close();
    for (auto& portal : portals) {
      auto const [received, missed, last_bid] = portal.result();
      fmt::print("{}: {} received + {} missed = {}, last bid {}\n", portal.actor().name, received,
                 missed, received + missed, last_bid);
    }
  });
}

}  // namespace

int main() { return tractor::run(amain); }
