// SPDX-License-Identifier: BSL-1.0
#include <tractor/actor.hpp>
#include <tractor/actor_cluster.hpp>
#include <trio/nursery.hpp>

#include <algorithm>
#include <optional>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>

namespace tractor {
namespace {

std::vector<std::string> names_of(ClusterOptions const& options) {
  std::vector<std::string> names = options.names;
  if (names.empty()) {
    std::size_t const count = options.count > 0
                                  ? options.count
                                  : std::max<std::size_t>(std::thread::hardware_concurrency(), 1);
    for (std::size_t i = 0; i < count; ++i)
      names.push_back(current_actor().name() + ".worker_" + std::to_string(i));
  }
  return names;
}

}  // namespace

Portal const& ActorCluster::operator[](std::string_view name) const {
  auto const found = std::find_if(members_.begin(), members_.end(),
                                  [&](Member const& member) { return member.name == name; });
  if (found == members_.end())
    throw std::out_of_range("tractor: this cluster has no actor named " + std::string(name));
  return found->portal;
}

void detail::check_cluster(ClusterOptions const& options) {
  auto const& names = options.names;
  if (!names.empty() && options.count > 0 && names.size() != options.count)
    throw std::invalid_argument("tractor: open_actor_cluster(): " + std::to_string(names.size()) +
                                " names for " + std::to_string(options.count) + " actors");
  if (std::set<std::string>(names.begin(), names.end()).size() != names.size())
    throw std::invalid_argument("tractor: open_actor_cluster(): two actors have the same name");
}

ActorCluster detail::start_cluster(ActorNursery& nursery, Exposed exposed,
                                   ClusterOptions const& options) {
  std::vector<std::string> const names = names_of(options);
  std::vector<std::optional<Portal>> portals(names.size());
  trio::open_nursery([&](trio::Nursery& starting) {
    for (std::size_t i = 0; i < names.size(); ++i)
      starting.start_soon(
          [&, i] { portals[i] = nursery.start_actor(names[i], exposed, options.actor); });
  });
  std::vector<ActorCluster::Member> members;
  for (std::size_t i = 0; i < names.size(); ++i)
    members.push_back({names[i], std::move(*portals[i])});
  return ActorCluster(std::move(members));
}

}  // namespace tractor
