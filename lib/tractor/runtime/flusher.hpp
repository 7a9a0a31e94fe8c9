// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/descriptor.hpp>
#include <trio/nursery.hpp>

#include <functional>
#include <memory>
#include <string>

namespace tractor::runtime {

// Calls a function as soon as no task is ready any more: what many have to send by then can travel
// together. That is when the run loop asks for input, where a descriptor of its own tells it; a
// task that was made ready instead would make every checkpoint a switch to it.
class Flusher {
 public:
  Flusher() = default;
  Flusher(Flusher const&) = delete;
  Flusher& operator=(Flusher const&) = delete;

  ~Flusher() { stop(); }

  // Whether its task is there to do it.
  bool is_started() const noexcept { return state_ && !state_->stopped; }

  // Starts its task. Throws std::system_error.
  void start(trio::Nursery& nursery, std::string name, std::function<void()> flush);

  // Has the function called. Not a checkpoint. Throws std::bad_alloc.
  void wake();
  // Not any more: ends the task.
  void stop() noexcept;

 private:
  struct State {
    trio::Descriptor event;
    std::function<void()> flush;
    bool stopped = false;
    // It waits: the run can be asked to wake it, which costs no system call.
    bool parked = false;
    // It was told by its descriptor.
    bool rung = false;
  };

  static void run(State& state);
  static void ring(State& state) noexcept;

  std::shared_ptr<State> state_;
};

}  // namespace tractor::runtime
