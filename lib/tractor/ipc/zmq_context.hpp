// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "zmq_door.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

#include <zmq.hpp>

namespace tractor::ipc {

// Takes the object away without ending it: its memory, threads and descriptors go with the process.
template <class T> void leave_to_kernel(T object) noexcept {
  union Kept {
    explicit Kept(T&& taken) noexcept : object(std::move(taken)) {}

    ~Kept() {}

    T object;
  } const kept(std::move(object));
}

// What the sockets of a transport share: ZeroMQ's I/O thread, and the door if any of them listens.
// Lives as long as they do. Its end waits until closed sockets have lingered.
class ZmqContext {
 public:
  // ZeroMQ begins with its first socket, and ends the process if it gets no descriptors or threads
  // then. Throws std::system_error if it would; zmq::error_t.
  ZmqContext();

  ZmqContext(ZmqContext const&) = delete;
  ZmqContext& operator=(ZmqContext const&) = delete;

  // The door is destroyed next, and then the context.
  ~ZmqContext() {
    if (process_ends_) {
      leave_to_kernel(std::move(door_));
      leave_to_kernel(std::move(context_));
    } else {
      context_.shutdown();
    }
  }

  zmq::context_t& raw() noexcept { return context_; }

  // The process is about to end, and has nothing to say any more. ZeroMQ's own end of it, a dozen
  // switches to and fro between its threads for each socket, is most of what an actor's end costs.
  void process_ends() noexcept { process_ends_ = true; }

  void end(zmq::socket_t& socket, std::chrono::milliseconds linger) {
    if (process_ends_) return leave_to_kernel(std::move(socket));
    socket.set(zmq::sockopt::linger, static_cast<int>(linger.count()));
    socket.close();
  }

  // Made when first asked for: it has a thread, and most actors never listen. Throws zmq::error_t,
  // std::system_error.
  ZmqDoor& door() {
    if (!door_) door_ = std::make_unique<ZmqDoor>(context_);
    return *door_;
  }

  // Never the same twice, here.
  std::uint64_t next_number() noexcept { return ++last_number_; }

 private:
  zmq::context_t context_;
  std::unique_ptr<ZmqDoor> door_;
  bool process_ends_ = false;
  std::uint64_t last_number_ = 0;
};

}  // namespace tractor::ipc
