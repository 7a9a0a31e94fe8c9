// SPDX-License-Identifier: BSL-1.0
// Many tasks at once, of trio or of bare Boost.Fiber. In a process for each, as the memory of one
// would be there already for the next: bench_crowds trio|boost FILE
#include "record.hpp"

#include <trio/trio.hpp>

#include <cstddef>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <boost/fiber/all.hpp>
#include <fmt/format.h>
#include <unistd.h>

namespace {

constexpr std::size_t parked = 100'000;
constexpr std::size_t cancelled = 10'000;
constexpr int rounds = 5;

double resident_bytes() {
  std::size_t all = 0;
  std::size_t resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

void park_trio_tasks(bench::Record& record) {
  trio::open_nursery([&](trio::Nursery& nursery) {
    double const before = resident_bytes();
    auto const begin = bench::Clock::now();
    for (std::size_t i = 0; i < parked; ++i) nursery.start_soon(trio::sleep_forever);
    trio::lowlevel::checkpoint();
    record.add("trio_parked_time", begin, parked);
    record.add_figure("trio_parked_bytes", (resident_bytes() - before) / parked);
    nursery.cancel_scope().cancel();
  });
}

void cancel_trio_tasks(bench::Record& record) {
  bench::Clock::time_point begin;
  trio::open_nursery([&](trio::Nursery& nursery) {
    for (std::size_t i = 0; i < cancelled; ++i) nursery.start_soon(trio::sleep_forever);
    trio::lowlevel::checkpoint();
    begin = bench::Clock::now();
    nursery.cancel_scope().cancel();
  });
  record.add("trio_cancel", begin, cancelled);
}

// Fibers that wait for one condition, which stands for a cancellation.
class Waiters {
 public:
  explicit Waiters(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) fibers_.emplace_back([this] { wait(); });
    boost::this_fiber::yield();
  }

  void end() {
    {
      std::lock_guard const lock(mutex_);
      ended_ = true;
    }
    condition_.notify_all();
    for (auto& fiber : fibers_) fiber.join();
  }

 private:
  void wait() {
    std::unique_lock lock(mutex_);
    condition_.wait(lock, [this] { return ended_; });
  }

  bool ended_ = false;
  boost::fibers::mutex mutex_;
  boost::fibers::condition_variable condition_;
  std::vector<boost::fibers::fiber> fibers_;
};

void park_boost_fibers(bench::Record& record) {
  double const before = resident_bytes();
  auto const begin = bench::Clock::now();
  Waiters waiters(parked);
  record.add("boost_fiber_parked_time", begin, parked);
  record.add_figure("boost_fiber_parked_bytes", (resident_bytes() - before) / parked);
  waiters.end();
}

void wake_boost_fibers(bench::Record& record) {
  Waiters waiters(cancelled);
  auto const begin = bench::Clock::now();
  waiters.end();
  record.add("boost_fiber_cancel", begin, cancelled);
}

}  // namespace

int main(int argc, char** argv) {
  std::string_view const whose = argc == 3 ? argv[1] : "";
  bench::Record record;
  if (whose == "trio") {
    trio::run([&] {
      park_trio_tasks(record);
      for (int i = 0; i < rounds; ++i) cancel_trio_tasks(record);
    });
  } else if (whose == "boost") {
    park_boost_fibers(record);
    for (int i = 0; i < rounds; ++i) wake_boost_fibers(record);
  } else {
    fmt::print(stderr, "usage: {} trio|boost FILE\n", argv[0]);
    return 2;
  }
  record.write(argv[2]);
}
