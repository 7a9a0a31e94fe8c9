// SPDX-License-Identifier: BSL-1.0
#include "flusher.hpp"

#include <trio/io.hpp>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

#include <sys/eventfd.h>
#include <unistd.h>

namespace tractor::runtime {

void Flusher::start(trio::Nursery& nursery, std::string name, std::function<void()> flush) {
  auto state = std::make_shared<State>();
  state->event = trio::Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (state->event.get() < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  state->flush = std::move(flush);
  nursery.start_soon({.name = std::move(name)}, [state] { run(*state); });
  state_ = std::move(state);
}

void Flusher::run(State& state) {
  struct End {
    State& state;

    ~End() { state.stopped = true; }
  } const end{state};

  while (!state.stopped) {
    state.parked = true;
    trio::lowlevel::wait_readable(state.event.get());
    state.parked = false;
    std::uint64_t count = 0;
    if (std::exchange(state.rung, false))
      static_cast<void>(read(state.event.get(), &count, sizeof count));
    if (!state.stopped) state.flush();
  }
}

void Flusher::wake() {
  if (!state_) return;
  if (state_->parked)
    trio::lowlevel::notify_readable_soon(state_->event.get());
  else
    ring(*state_);
}

void Flusher::stop() noexcept {
  if (!state_) return;
  state_->stopped = true;
  ring(*state_);
  state_.reset();
}

void Flusher::ring(State& state) noexcept {
  std::uint64_t const one = 1;
  state.rung = true;
  static_cast<void>(write(state.event.get(), &one, sizeof one));
}

}  // namespace tractor::runtime
