// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/time.hpp>

#include <cstddef>
#include <memory>

namespace trio::detail {

// What a thread is to do.
class ThreadWork {
 public:
  virtual ~ThreadWork() = default;
  // On the thread.
  virtual void run() noexcept = 0;
  // On the thread afterwards, when it may be given other work already: so that whoever is told of
  // the end, and starts something at once, finds a thread that is free.
  virtual void deliver() noexcept = 0;
};

// The threads of a run that do what blocks. A thread that has done its work waits for more, and
// ends if none comes for a while. All of it is for the run's thread.
class ThreadCache {
 public:
  explicit ThreadCache(Duration idle_limit);
  ThreadCache(ThreadCache const&) = delete;
  ThreadCache& operator=(ThreadCache const&) = delete;
  // Ends the threads that wait, and is not back before they have ended. Those that still work end
  // when they are done.
  ~ThreadCache();

  // Has an idle thread, or a new one, do it. Throws std::system_error if there can be none.
  void start(std::shared_ptr<ThreadWork> work);

  // How many threads there are.
  std::size_t size() const;

 private:
  struct Shared;

  // The threads hold it as well, as those that still work outlive the run.
  std::shared_ptr<Shared> shared_;
};

}  // namespace trio::detail
