// SPDX-License-Identifier: BSL-1.0
#include "thread_cache.hpp"

#include <algorithm>
#include <condition_variable>
#include <iterator>
#include <list>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <pthread.h>

namespace trio::detail {

struct ThreadCache::Shared {
  struct Worker {
    std::thread thread = {};
    std::condition_variable has_work = {};
    std::shared_ptr<ThreadWork> work = {};
  };

  using Workers = std::list<Worker>;

  // What a thread does, all its life. `lock` holds the mutex.
  void serve(Workers::iterator self, std::unique_lock<std::mutex> lock) {
    while (self->work) {
      auto work = std::move(self->work);
      lock.unlock();
      work->run();
      lock.lock();
      if (!closed) idle.push_back(self);
      lock.unlock();
      work->deliver();
      work.reset();
      lock.lock();
      self->has_work.wait_for(lock, idle_limit, [&] { return self->work || closed; });
    }
    std::erase(idle, self);
    // Nobody joins it, unless the cache does as it goes.
    if (self->thread.joinable()) self->thread.detach();
    workers.erase(self);
  }

  std::chrono::nanoseconds idle_limit = {};
  std::mutex mutex = {};
  Workers workers = {};
  // Who has been idle for the shortest time gets the next work, so that the others' time comes.
  std::vector<Workers::iterator> idle = {};
  bool closed = false;
};

ThreadCache::ThreadCache(Duration idle_limit) : shared_(std::make_shared<Shared>()) {
  // What is added to a clock's time must not overflow it.
  constexpr std::chrono::nanoseconds for_ever = std::chrono::hours(24 * 365 * 100);
  shared_->idle_limit = std::min(idle_limit.nanoseconds(), for_ever);
}

ThreadCache::~ThreadCache() {
  std::vector<std::thread> ending;
  {
    std::lock_guard const lock(shared_->mutex);
    shared_->closed = true;
    for (auto const worker : std::exchange(shared_->idle, {})) {
      ending.push_back(std::move(worker->thread));
      worker->has_work.notify_one();
    }
  }
  for (auto& thread : ending) thread.join();
}

void ThreadCache::start(std::shared_ptr<ThreadWork> work) {
  std::unique_lock lock(shared_->mutex);
  if (!shared_->idle.empty()) {
    auto const worker = shared_->idle.back();
    shared_->idle.pop_back();
    worker->work = std::move(work);
    worker->has_work.notify_one();
    return;
  }
  shared_->workers.emplace_back();
  auto const worker = std::prev(shared_->workers.end());
  worker->work = std::move(work);
  try {
    // The new thread begins by waiting for the mutex: until its own record is complete.
    worker->thread = std::thread([shared = shared_, worker] {
      pthread_setname_np(pthread_self(), "trio worker");
      shared->serve(worker, std::unique_lock(shared->mutex));
    });
  } catch (...) {
    shared_->workers.erase(worker);
    throw;
  }
}

std::size_t ThreadCache::size() const {
  std::lock_guard const lock(shared_->mutex);
  return shared_->workers.size();
}

}  // namespace trio::detail
