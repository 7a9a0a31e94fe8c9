// SPDX-License-Identifier: BSL-1.0
#include <tractor/worker_pool.hpp>
#include <trio/cancel_scope.hpp>
#include <trio/lock.hpp>
#include <trio/memory_channel.hpp>
#include <trio/nursery.hpp>
#include <trio/semaphore.hpp>
#include <trio/time.hpp>

#include <chrono>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace tractor::detail {
namespace {

using Item = MapJob::Item;

class Map {
 public:
  Map(MapJob& job, std::vector<Portal> const& workers, MapOrder order, MapOptions const& options)
      : job_(job),
        workers_(workers),
        order_(order),
        options_(options),
        window_(options.ahead > 0 ? options.ahead : 4 * workers.size()) {}

  void run() {
    trio::open_nursery([&](trio::Nursery& nursery) {
      if (options_.progress) nursery.start_soon([&] { reporting_.enter([&] { report_again(); }); });
      for (Portal const& worker : workers_)
        nursery.start_soon({.name = "map at " + worker.actor().name},
                           [&, sender = done_.sender.clone()]() mutable { work(worker, sender); });
      done_.sender.close();
      consume();
      reporting_.cancel("the map is done");
    });
  }

 private:
  struct Done {
    std::size_t index;
    std::unique_ptr<Item> item;
  };

  void work(Portal const& worker, trio::MemorySendChannel<Done>& sender) {
    for (;;) {
      window_.acquire();
      Done done;
      {
        // The range may wait for its next element.
        auto const turn = pulling_.guard();
        done = {pulled_, job_.pull()};
        if (!done.item) {
          // The others are to see the end, too.
          window_.release();
          return;
        }
        ++pulled_;
      }
      ++progress_.running;
      job_.call(worker, *done.item);
      --progress_.running;
      ++progress_.done;
      sender.send_nowait(std::move(done));
    }
  }

  void consume() {
    std::map<std::size_t, std::unique_ptr<Item>> waiting;
    std::size_t next = 0;
    for (Done& done : done_.receiver) {
      report();
      if (order_ == MapOrder::unordered) {
        give(std::move(done.item));
        continue;
      }
      waiting.emplace(done.index, std::move(done.item));
      for (auto found = waiting.begin(); found != waiting.end() && found->first == next; ++next) {
        give(std::move(found->second));
        found = waiting.erase(found);
      }
    }
  }

  void give(std::unique_ptr<Item> item) {
    job_.consume(*item);
    item.reset();
    window_.release();
  }

  void report() {
    if (!options_.progress) return;
    progress_.elapsed = trio::between(begun_, trio::current_time());
    options_.progress(progress_);
  }

  void report_again() {
    for (;;) {
      trio::sleep(options_.every);
      report();
    }
  }

  MapJob& job_;
  std::vector<Portal> const& workers_;
  MapOrder const order_;
  MapOptions const& options_;
  trio::Time const begun_ = trio::current_time();
  // One for each element that may be pulled.
  trio::Semaphore window_;
  trio::Lock pulling_;
  std::size_t pulled_ = 0;
  MapProgress progress_;
  trio::CancelScope reporting_;
  trio::MemoryChannelPair<Done> done_ = trio::open_memory_channel<Done>(trio::unbounded);
};

}  // namespace

void run_map(MapJob& job, std::vector<Portal> const& workers, MapOrder order,
             MapOptions const& options) {
  if (options.every <= trio::Duration(std::chrono::nanoseconds(0)))
    throw std::invalid_argument(
        "tractor: MapOptions::every, between two reports, must be positive");
  Map(job, workers, order, options).run();
}

}  // namespace tractor::detail
