// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/actor_nursery.hpp>
#include <tractor/expose.hpp>
#include <tractor/portal.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace tractor {

// How to open a cluster.
struct ClusterOptions {
  // How many actors; 0: as many as there are names, or without names, one for each processor.
  std::size_t count = 0;
  // Theirs, if not "PARENT.worker_0" and so on: as many as `count` says.
  std::vector<std::string> names = {};
  // Of each actor. Its name and what it exposes are not looked at.
  ActorOptions actor = {};
};

// Actors that are alike, each with a name of its own.
class ActorCluster {
 public:
  struct Member {
    std::string name;
    Portal portal;
  };

  // Made by the library.
  explicit ActorCluster(std::vector<Member> members) noexcept : members_(std::move(members)) {}

  std::size_t size() const noexcept { return members_.size(); }

  // The members, in the order of their names in the options.
  auto begin() const noexcept { return members_.begin(); }

  auto end() const noexcept { return members_.end(); }

  // The one of that name. Throws std::out_of_range if there is none.
  Portal const& operator[](std::string_view name) const;

 private:
  std::vector<Member> members_;
};

namespace detail {
// Throws std::invalid_argument.
void check_cluster(ClusterOptions const& options);
// Starts all at once, and waits until each has linked up.
ActorCluster start_cluster(ActorNursery& nursery, Exposed exposed, ClusterOptions const& options);
}  // namespace detail

// Starts actors that each serve calls of the functions `exposed`, all at once, runs
// `body(cluster)`, ends all of them, and returns what the body returned:
//
//   tractor::open_actor_cluster(tractor::expose<add>, {.count = 4}, [](auto const& cluster) {
//     for (auto const& [name, portal] : cluster) portal.template run<add>(1, 2);
//   });
//
// An error of one of them or of the body ends all, as in an actor nursery, see open_nursery, and is
// thrown in a group. A checkpoint. Throws std::invalid_argument if the names are not as many as
// `count` says, or not all different. Mirrors tractor.open_actor_cluster.
template <class Body>
auto open_actor_cluster(Exposed exposed, ClusterOptions const& options, Body&& body) {
  constexpr bool takes_cluster = std::is_invocable_v<Body&, ActorCluster const&>;
  static_assert(takes_cluster,
                "tractor: the body of open_actor_cluster takes a tractor::ActorCluster const&");
  if constexpr (takes_cluster) {
    detail::check_cluster(options);
    return open_nursery([&](ActorNursery& nursery) {
      ActorCluster const cluster = detail::start_cluster(nursery, exposed, options);
      if constexpr (std::is_void_v<std::invoke_result_t<Body&, ActorCluster const&>>) {
        body(cluster);
        nursery.cancel("the cluster's work is done");
      } else {
        auto result = body(cluster);
        nursery.cancel("the cluster's work is done");
        return result;
      }
    });
  }
}

}  // namespace tractor
