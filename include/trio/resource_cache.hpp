// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/lend.hpp>
#include <trio/lowlevel.hpp>

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace trio {

// As of ResourceCache::statistics().
struct ResourceCacheStatistics {
  // How many are open, opening or closing.
  std::size_t resources = 0;
  // How many tasks use them.
  std::size_t users = 0;
};

namespace detail {

// A resource that tasks share, in a system task of its own.
class CachedResource : public std::enable_shared_from_this<CachedResource> {
 public:
  // Begins the block, and waits until it lends; the caller is the first user then. `forget` is
  // called at the block's end. Cancelled: throws when the block is gone.
  void open(std::function<void(Loan&)> block, std::function<void()> forget);
  // Waits until it is open; false if it cannot be used any more. The caller is a user then.
  bool join();

  // Waits until it is gone.
  void wait_until_gone() { loan_.wait_for_end(); }

  // Calls `body`; the caller is no user any more then. The last one waits until the block is gone.
  void use(std::function<void()> const& body);

  template <class T> T& value() const noexcept { return loan_.value<T>(); }

  std::size_t users() const noexcept { return users_; }

 private:
  // Ends with what the block threw, where it concerns this user.
  std::exception_ptr leave();

  Loan loan_;
  std::size_t users_ = 0;
};

}  // namespace detail

// Resources that are opened when the first task wants them, shared by all that want them meanwhile,
// and closed when the last has done: connections, say, by address.
//
//   trio::ResourceCache<std::string, Connection> connections;
//   ...
//   connections.maybe_open(host, open_connection, [&](Connection& connection, bool hit) { ... });
//
// Each runs as a block (see Lend) in a task of its own, so that it can outlive who opened it; but
// never the last user, who waits until it is closed and gets its errors. For one run's thread only.
// Mirrors tractor's maybe_open_context.
template <class Key, class T> class ResourceCache {
 public:
  // Runs `body(value)` or `body(value, hit)` with the resource of this key, opening it by `block`
  // if nobody has it open; `hit` tells whether somebody had. Returns what the body returns. A
  // checkpoint.
  //
  // While a resource is opened or closed, others wait; after a failed or cancelled opening, or a
  // closing, the next opens it anew. Whoever opens it gets what the opening throws. When the last
  // body has ended, well or not, the block goes on from its lend(), and what it throws then is
  // thrown to the last user, in a group with the body's own error if there is one. The last user
  // waits for that whatever is cancelled: bound what may hang. If the block ends while the resource
  // is in use, all users are cut short first, and get its error; BrokenResourceError if it has
  // none. A block must not open its own key: it would wait for itself. Throws MisuseError if the
  // block does not lend, or outside a task.
  template <class Block, class Body> auto maybe_open(Key key, Block block, Body&& body) {
    static_assert(std::is_invocable_v<Block&, Lend<T>>,
                  "trio: maybe_open(key, block, body): the block takes a trio::Lend<T>, T being "
                  "that of the cache");
    lowlevel::checkpoint();
    bool hit = false;
    auto const resource = opened(std::move(key), std::move(block), hit);
    auto const call = [&]() -> decltype(auto) {
      T& value = resource->template value<T>();
      if constexpr (std::is_invocable_v<Body&, T&, bool>)
        return std::invoke(body, value, hit);
      else
        return std::invoke(body, value);
    };
    using Result = decltype(call());
    static_assert(!std::is_reference_v<Result>,
                  "trio: the body of maybe_open must return a value, not a reference");
    if constexpr (std::is_void_v<Result>) {
      resource->use(call);
    } else {
      std::optional<Result> result;
      resource->use([&] { result.emplace(call()); });
      return std::move(result).value();
    }
  }

  // As it stands now. Not a checkpoint.
  ResourceCacheStatistics statistics() const {
    ResourceCacheStatistics now{resources_->size(), 0};
    for (auto const& [key, resource] : *resources_) now.users += resource->users();
    return now;
  }

 private:
  using Resources = std::map<Key, std::shared_ptr<detail::CachedResource>>;

  // The resource, of which the caller is a user.
  template <class Block>
  std::shared_ptr<detail::CachedResource> opened(Key key, Block block, bool& hit) {
    for (auto found = resources_->find(key); found != resources_->end();
         found = resources_->find(key)) {
      auto const resource = found->second;
      hit = resource->join();
      if (hit) return resource;
      resource->wait_until_gone();
    }
    auto const resource = std::make_shared<detail::CachedResource>();
    auto shared_block = std::make_shared<Block>(std::move(block));
    std::function<void(detail::Loan&)> call_block = [shared_block](detail::Loan& loan) {
      std::invoke(*shared_block, Lend<T>(loan));
    };
    std::function<void()> forget = [resources = resources_, key] { resources->erase(key); };
    // When nothing can throw any more that would leave it in there.
    resources_->emplace(std::move(key), resource);
    resource->open(std::move(call_block), std::move(forget));
    return resource;
  }

  std::shared_ptr<Resources> resources_ = std::make_shared<Resources>();
};

}  // namespace trio
