// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/actor_cluster.hpp>
#include <tractor/expose.hpp>
#include <tractor/function.hpp>
#include <tractor/portal.hpp>
#include <trio/time.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace tractor {

// How far a map is.
struct MapProgress {
  // Elements whose results are there, and elements that a worker has now.
  std::size_t done = 0;
  std::size_t running = 0;
  trio::Duration elapsed = std::chrono::nanoseconds(0);
};

// How a map goes about it.
struct MapOptions {
  // The most elements that may be taken from the range and not be done with at a time: those at
  // work, and results that wait for their turn. 0: four for each worker.
  std::size_t ahead = 0;
  // Called after each result, and at `every` interval however long the work takes. In tasks of the
  // map: what it throws ends the map; if it waits, it may be called again meanwhile.
  std::function<void(MapProgress const&)> progress = {};
  trio::Duration every = std::chrono::seconds(1);
};

namespace detail {

// A map without its types.
class MapJob {
 public:
  // An element on its way, and later its result.
  struct Item {
    virtual ~Item() = default;
  };

  virtual ~MapJob() = default;
  // The next element; null at the end of the range.
  virtual std::unique_ptr<Item> pull() = 0;
  // Has a worker do it.
  virtual void call(Portal const& worker, Item& item) = 0;
  // Gives its result on.
  virtual void consume(Item& item) = 0;
};

enum class MapOrder { ordered, unordered };

void run_map(MapJob& job, std::vector<Portal> const& workers, MapOrder order,
             MapOptions const& options);

// The arguments that an element stands for: those in it if it is a tuple or pair that F does not
// take as a whole.
template <auto F, class Element> struct MapCall {
  static constexpr bool ok = remote_call_ok<F, Element const&>;

  static result_of<F> run(Portal const& worker, Element const& element) {
    return worker.run<F>(element);
  }
};

template <auto F, template <class...> class Tuple, class... A>
  requires(!remote_call_ok<F, Tuple<A...> const&> && requires { std::tuple_size<Tuple<A...>>(); })

struct MapCall<F, Tuple<A...>> {
  static result_of<F> run(Portal const& worker, Tuple<A...> const& element) {
    return std::apply([&](A const&... arguments) { return worker.run<F>(arguments...); }, element);
  }
};

template <auto F, class Range, class Consume> class TypedMapJob final : public MapJob {
 public:
  TypedMapJob(Range& range, Consume& consume)
      : next_(std::begin(range)), end_(std::end(range)), consume_(consume) {}

  std::unique_ptr<Item> pull() override {
    // Not before it is asked for: the range may wait for it, and for what becomes of this one.
    if (std::exchange(taken_, false)) ++next_;
    if (next_ == end_) return nullptr;
    auto item = std::make_unique<Work>(*next_);
    taken_ = true;
    return item;
  }

  void call(Portal const& worker, Item& item) override {
    auto& work = static_cast<Work&>(item);
    if constexpr (std::is_void_v<result_of<F>>)
      MapCall<F, Element>::run(worker, work.element);
    else
      work.result.emplace(MapCall<F, Element>::run(worker, work.element));
  }

  void consume(Item& item) override {
    auto& work = static_cast<Work&>(item);
    if constexpr (std::is_void_v<result_of<F>>)
      consume_(std::as_const(work.element));
    else
      consume_(std::as_const(work.element), std::move(*work.result));
  }

 private:
  using Element = std::decay_t<decltype(*std::begin(std::declval<Range&>()))>;

  struct Work : Item {
    template <class Given> explicit Work(Given&& given) : element(std::forward<Given>(given)) {}

    Element element;
    std::optional<std::conditional_t<std::is_void_v<result_of<F>>, std::monostate, result_of<F>>>
        result = {};
  };

  decltype(std::begin(std::declval<Range&>())) next_;
  decltype(std::end(std::declval<Range&>())) end_;
  // The element at next_ was.
  bool taken_ = false;
  Consume& consume_;
};

}  // namespace detail

// Processes that share out the elements of a range: each takes the next one when it is done with
// the one before. Belongs to the block that opened it; any task of that actor may use it, several
// at once too. Mirrors the worker pool of tractor's example concurrent_actors_primes.
class WorkerPool {
 public:
  // Made by the library.
  explicit WorkerPool(std::vector<Portal> workers) noexcept : workers_(std::move(workers)) {}

  std::size_t size() const noexcept { return workers_.size(); }

  std::vector<Portal> const& workers() const noexcept { return workers_; }

  // F of each element, in their order. An element is F's argument; a tuple or pair is several. The
  // range is gone through once, and never further than MapOptions::ahead. A checkpoint.
  //
  // The first error, of F, a worker or the range, or a cancellation, cancels what is at work; the
  // errors are thrown in an exception group, as by a nursery: of F as Portal::run throws them.
  // Mirrors concurrent.futures' Executor.map.
  template <auto F, class Range>
  std::vector<result_of<F>> map(Range&& range, MapOptions const& options = {}) const {
    std::vector<result_of<F>> results;
    map<F>(
        range,
        [&](auto const& /*element*/, result_of<F> result) { results.push_back(std::move(result)); },
        options);
    return results;
  }

  // The same, with each result given to consume(element, result) as soon as it and all before it
  // are there; consume(element) if F returns nothing. It is called in this task, and may wait: the
  // workers go on meanwhile, but not further ahead than the options say.
  template <auto F, class Range, class Consume>
    requires(!std::is_convertible_v<Consume, MapOptions const&>)
  void map(Range&& range, Consume&& consume, MapOptions const& options = {}) const {
    detail::TypedMapJob<F, std::remove_reference_t<Range>, std::remove_reference_t<Consume>> job(
        range, consume);
    detail::run_map(job, workers_, detail::MapOrder::ordered, options);
  }

  // The same in the order in which the results come.
  template <auto F, class Range, class Consume>
  void map_unordered(Range&& range, Consume&& consume, MapOptions const& options = {}) const {
    detail::TypedMapJob<F, std::remove_reference_t<Range>, std::remove_reference_t<Consume>> job(
        range, consume);
    detail::run_map(job, workers_, detail::MapOrder::unordered, options);
  }

 private:
  std::vector<Portal> workers_;
};

// Starts `options.count` workers that can do the functions F, runs `body(pool)`, ends them, and
// returns what the body returned:
//
//   tractor::open_worker_pool<is_prime>({.count = 4}, [](tractor::WorkerPool const& pool) {
//     pool.map<is_prime>(numbers, [](long number, bool prime) { ... });
//   });
//
// A worker that computes for long without a checkpoint looks as if it hung: give it one now and
// then, or set options.actor.unresponsive_after. A checkpoint. Throws as open_actor_cluster() does.
template <auto... F, class Body> auto open_worker_pool(ClusterOptions const& options, Body&& body) {
  constexpr bool takes_pool = std::is_invocable_v<Body&, WorkerPool const&>;
  static_assert(takes_pool,
                "tractor: the body of open_worker_pool takes a tractor::WorkerPool const&");
  if constexpr (takes_pool) {
    return open_actor_cluster(expose<F...>, options, [&](ActorCluster const& cluster) {
      std::vector<Portal> workers;
      for (auto const& member : cluster) workers.push_back(member.portal);
      return body(WorkerPool(std::move(workers)));
    });
  }
}

}  // namespace tractor
